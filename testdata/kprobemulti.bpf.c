// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One probe on many functions: all whose names match a pattern.
#include "types.h"

__u64 hits;

SEC("kprobe.multi/__set_task_com*")
int on_any(void *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
