// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A traffic control classifier that counts packets. Its section names no
// direction: who attaches it says which.
#include "net.h"

__u64 packets;
__u64 bytes;

SEC("tc")
int count_packets(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&packets, 1);
	__sync_fetch_and_add(&bytes, skb->len);
	return TC_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
