// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program that says nothing about its license: to the kernel it is not under
// the GPL, and calls only helpers that are open to all.
#include "net.h"

__u64 runs;

SEC("xdp")
int run(struct xdp_md *ctx)
{
	runs++;
	return XDP_PASS;
}
