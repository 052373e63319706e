// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program array with programs in its slots when it is loaded: slot 1 stays
// empty, and the second program calls the first by way of slot 0.
#include "helpers.h"
#include "maps.h"
#include "net.h"

int first(struct xdp_md *ctx);
int second(struct xdp_md *ctx);

struct {
	__uint(type, MAP_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} slots SEC(".maps") = {
	.values = { [0] = (void *)&first, [2] = (void *)&second },
};

__u64 reached_first;
__u64 reached_second;
__u64 fell_through;

SEC("xdp")
int first(struct xdp_md *ctx)
{
	reached_first++;
	return XDP_TX;
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	reached_second++;
	bpf_tail_call(ctx, &slots, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int enter(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &slots, 1);
	fell_through++;
	bpf_tail_call(ctx, &slots, 2);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
