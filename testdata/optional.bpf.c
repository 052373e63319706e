// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs that may be missing: a question mark before the section's name says
// that the program is skipped where its target does not exist.
#include "types.h"

__u64 hits;

SEC("?fentry/tbpf_no_such_function")
int absent_function(__u64 *ctx)
{
	return 0;
}

SEC("?lsm/tbpf_no_such_hook")
int absent_hook(__u64 *ctx)
{
	return 0;
}

SEC("?tp_btf/tbpf_no_such_tracepoint")
int absent_tracepoint(__u64 *ctx)
{
	return 0;
}

SEC("?tp_btf/task_rename")
int present_tracepoint(__u64 *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

SEC("syscall")
int always(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
