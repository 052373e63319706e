// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Functions that are in a section of their own and are no programs, and a table
// of functions that is created only by a program that asks for it: it and the
// programs that only it calls are left out.
#include "core.h"
#include "net.h"

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	char name[16];
} __relocate;

SEC("helpers")
__noinline int add(int a, int b)
{
	return a + b;
}

SEC("tc")
int call(struct __sk_buff *skb)
{
	return add(skb->len, 4);
}

SEC("struct_ops/ssthresh")
__u32 ssthresh(__u64 *ctx)
{
	return 2;
}

SEC("?.struct_ops.link")
struct tcp_congestion_ops unasked = {
	.ssthresh = (void *)ssthresh,
	.name = "tbpf_unasked",
};

char LICENSE[] SEC("license") = "GPL";
