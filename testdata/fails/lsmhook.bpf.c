// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Wants to be attached to a security hook that exists nowhere, after a program
// that could be loaded: both must be gone when the load has failed.
#include "types.h"

__u64 opened;

SEC("tp_btf/task_rename")
int good(__u64 *ctx)
{
	opened++;
	return 0;
}

SEC("lsm/tbpf_no_such_hook")
int bad(__u64 *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
