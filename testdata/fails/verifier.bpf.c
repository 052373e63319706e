// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads a packet without looking where it ends: the verifier refuses it on
// every kernel.
#include "net.h"

SEC("xdp")
int read_past_end(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;

	return data[100] ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
