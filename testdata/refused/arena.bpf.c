// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Two arenas, of which a program can use one.
#include "maps.h"

struct {
	__uint(type, MAP_ARENA);
	__uint(map_flags, F_MMAPABLE);
	__uint(max_entries, 16); // pages
} first SEC(".maps"), second SEC(".maps");

SEC("syscall")
int find(void *ctx)
{
	return (__u64)&first ? 0 : 1;
}

char LICENSE[] SEC("license") = "GPL";
