// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Storage that lives with a cgroup, a map type of Linux 6.2.
#include "maps.h"
#include "net.h"

struct {
	__uint(type, MAP_CGRP_STORAGE);
	__uint(map_flags, F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} storage SEC(".maps");

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
