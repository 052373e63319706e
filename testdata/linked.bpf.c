// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Two objects that a linker made one of: compiled once as part 1 and once as
// part 2, each with a static function and a static variable of the same name.
#include "net.h"

static volatile __u32 seen = 100 * PART;

static __noinline int step(int x)
{
	opaque(x);
	return x + 10 * PART;
}

#define CAT(a, b) a##b
#define PROGRAM(part) CAT(part_, part)

SEC("xdp")
int PROGRAM(PART)(struct xdp_md *ctx)
{
	seen += 1;
	return step(1) == 10 * PART + 1 && seen == 100 * PART + 1 ? XDP_PASS : XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
