// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Memory that the program and its user share at the same addresses.
#include "maps.h"

struct {
	__uint(type, MAP_ARENA);
	__uint(map_flags, F_MMAPABLE);
	__uint(max_entries, 16); // pages
} arena SEC(".maps");

SEC("syscall")
int find(void *ctx)
{
	return (__u64)&arena ? 0 : 1;
}

char LICENSE[] SEC("license") = "GPL";
