// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Probes of many functions, and programs that run at a function's entry and
// again at its end, in the kernel and in a program of user space.
#include "types.h"

__u64 entered;
__u64 kernel_runs;
__u64 user_runs;
__u64 left;

SEC("uprobe.multi//bin/tbpf:main.mai?")
int on_entries(void *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("kprobe.session/__set_task_com?")
int around_function(void *ctx)
{
	__sync_fetch_and_add(&kernel_runs, 1);
	return 0;
}

SEC("uprobe.session//bin/tbpf:main.main")
int around_main(void *ctx)
{
	__sync_fetch_and_add(&user_runs, 1);
	return 0;
}

SEC("uretprobe.multi")
int on_return(void *ctx)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
