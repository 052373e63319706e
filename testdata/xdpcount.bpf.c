// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts UDP packets and their bytes on an interface, with a global variable
// in each of the data sections: .rodata, .data and .bss.
#include "net.h"

const volatile __u16 port = 7777;    // host byte order; 0 counts every port
volatile __u64 weight = 3;           // added to weighted by each packet
__u64 packets;
__u64 bytes;
__u64 weighted;

SEC("xdp")
int count_udp(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	if (eth->protocol != htons(ETH_IPV4) || ip->version_and_length != 0x45 || ip->protocol != IP_UDP)
		return XDP_PASS;
	if (port && udp->destination != htons(port))
		return XDP_PASS;
	__sync_fetch_and_add(&packets, 1);
	__sync_fetch_and_add(&bytes, end - data);
	__sync_fetch_and_add(&weighted, weight);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
