// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A static tracepoint by its category and name, attached from user space.
#include "types.h"

__u64 hits;

SEC("tracepoint/task/task_rename")
int on_rename(void *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
