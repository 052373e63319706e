// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Two arenas, and a variable that could lie in either.
#include "maps.h"

struct {
	__uint(type, MAP_ARENA);
	__uint(map_flags, F_MMAPABLE);
	__uint(max_entries, 16); // pages
} first SEC(".maps"), second SEC(".maps");

__u64 __attribute__((address_space(1))) somewhere = 1;

SEC("syscall")
int find(void *ctx)
{
	return (__u64)&first && somewhere ? 0 : 1;
}

char LICENSE[] SEC("license") = "GPL";
