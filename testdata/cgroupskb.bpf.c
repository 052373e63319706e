// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Packets of one cgroup: both directions are counted, and UDP to port 7778 is
// refused, which the sender sees as EPERM.
#include "net.h"

__u64 arriving;
__u64 leaving;
__u64 refused;

SEC("cgroup_skb/ingress")
int count_arriving(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&arriving, 1);
	return CGROUP_ALLOW;
}

SEC("cgroup_skb/egress")
int refuse_leaving(struct __sk_buff *skb)
{
	struct iphdr *ip = (void *)(long)skb->data;
	struct udphdr *udp = (void *)(ip + 1);

	__sync_fetch_and_add(&leaving, 1);
	if ((void *)(udp + 1) > (void *)(long)skb->data_end || ip->version_and_length != 0x45)
		return CGROUP_ALLOW;
	if (ip->protocol != IP_UDP || udp->destination != htons(7778))
		return CGROUP_ALLOW;
	__sync_fetch_and_add(&refused, 1);
	return CGROUP_REFUSE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
