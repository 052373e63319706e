// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Variables that lie in an arena, memory that programs and their user share at
// the same addresses: with initial values and without, on more than one page.
#include "helpers.h"
#include "maps.h"
#include "net.h"

#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, MAP_ARENA);
	__uint(map_flags, F_MMAPABLE);
	__uint(max_entries, 16); // pages
} arena SEC(".maps");

__u64 __arena runs = 40;
__u32 __arena table[3000] = {[0] = 1, [2999] = 7};
__u64 __arena renames;
__u64 __arena connects = 5;

__u64 seen_renames;
__u64 seen_connects;

SEC("fentry/__set_task_comm")
int on_rename(__u64 *ctx)
{
	seen_renames = ++renames;
	return 0;
}

SEC("cgroup/connect4")
int on_connect(void *ctx)
{
	seen_connects = ++connects;
	return CGROUP_ALLOW;
}

SEC("xdp")
int read(struct xdp_md *ctx)
{
	if (table[0] != 1 || table[1] != 0 || table[2999] != 7)
		return XDP_DROP;
	return ++runs == 41 ? XDP_PASS : XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
