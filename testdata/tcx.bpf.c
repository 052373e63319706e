// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Two programs for the two ends of an interface, with the direction in their
// section: both count, and the outer one drops UDP to port 7779.
#include "net.h"

__u64 arriving;
__u64 leaving;
__u64 dropped;

SEC("tcx/ingress")
int count_arriving(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&arriving, 1);
	return TCX_NEXT;
}

SEC("tcx/egress")
int drop_leaving(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	__sync_fetch_and_add(&leaving, 1);
	if ((void *)(udp + 1) > end || eth->protocol != htons(ETH_IPV4) || ip->protocol != IP_UDP)
		return TCX_NEXT;
	if (udp->destination != htons(7779))
		return TCX_NEXT;
	__sync_fetch_and_add(&dropped, 1);
	return TC_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
