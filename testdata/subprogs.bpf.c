// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Functions called in every way that one program can: a static function, a
// global one (which the verifier checks for itself), and callbacks whose
// address is given to a helper.
#include "helpers.h"
#include "maps.h"
#include "net.h"

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

__u64 by_static;  // 20: 2 * 10
__u64 by_global;  // 13: 10 + 3
__u64 by_loop;    // 45: 0 + 1 + ... + 9
__u64 by_walk;    // 4: elements of numbers

static __noinline __u64 twice(__u64 x)
{
	opaque(x);
	return x + x;
}

__noinline int plus_three(int x)
{
	opaque(x);
	return x + 3;
}

static int add_index(__u32 index, __u64 *sum)
{
	*sum += index;
	return 0;
}

static int count_one(void *map, __u32 *key, __u64 *value, __u64 *sum)
{
	*sum += 1;
	return 0;
}

SEC("xdp")
int call_all(struct xdp_md *ctx)
{
	__u64 loop = 0, walk = 0;

	by_static = twice(10);
	by_global = plus_three(10);
	bpf_loop(10, add_index, &loop, 0);
	by_loop = loop;
	bpf_for_each_map_elem(&numbers, count_one, &walk, 0);
	by_walk = walk;
	return XDP_PASS;
}

// A second program that shares the functions.
SEC("xdp")
int call_some(struct xdp_md *ctx)
{
	return twice(plus_three(-2)) == 2 ? XDP_PASS : XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
