// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A raw tracepoint, attached from user space: the kernel's loader programs
// cannot name its target.
#include "types.h"

__u64 hits;

SEC("raw_tp/task_rename")
int on_rename(__u64 *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
