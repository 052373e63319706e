// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads a member that no kernel's task_struct has, without asking first.
#include "helpers.h"
#include "core.h"

struct task_struct {
	int tbpf_no_such_member;
} __relocate;

SEC("raw_tp/task_rename")
int read_member(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->tbpf_no_such_member != 0;
}

char LICENSE[] SEC("license") = "GPL";
