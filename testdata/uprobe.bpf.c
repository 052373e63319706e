// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Probes of user space: the first names file and function, the second says
// nothing of where it belongs and is only loaded.
#include "types.h"

__u64 entered;
__u64 left;

SEC("uprobe//bin/tbpf:main.main")
int on_entry(void *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("uretprobe")
int on_return(void *ctx)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
