// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Both ends of a kernel function by kprobes, attached from user space through
// perf events.
#include "types.h"

__u64 entered;
__u64 left;

SEC("kprobe/__set_task_comm")
int on_entry(void *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("kretprobe/__set_task_comm")
int on_return(void *ctx)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
