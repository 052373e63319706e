// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Targets in a module that is named, or in the kernel proper. Where the kernel
// has the name elsewhere, the target is absent.
#include "types.h"

__u64 hits;
__u64 wrong;

SEC("fentry/nf_conntrack:nf_conntrack_in")
int in_module(__u64 *ctx)
{
	return 0;
}

SEC("fentry/vmlinux:__set_task_comm")
int in_kernel(__u64 *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

SEC("?fentry/vmlinux:nf_conntrack_in")
int not_in_kernel(__u64 *ctx)
{
	return 0;
}

SEC("?fexit/nf_conntrack:__set_task_comm")
int not_in_module(__u64 *ctx)
{
	__sync_fetch_and_add(&wrong, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
