// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A BPF iterator that prints a line for each task.
#include "helpers.h"
#include "kernel.h"

static const char line[] = "task %d of %d\n";

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u64 numbers[2];

	if (!task)
		return 0;
	numbers[0] = task->pid;
	numbers[1] = task->tgid;
	bpf_seq_printf(ctx->meta->seq, line, sizeof(line), numbers, sizeof(numbers));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
