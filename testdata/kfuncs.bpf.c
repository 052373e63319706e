// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Kernel functions of vmlinux: two that exist and a weak one that does not.
#include "helpers.h"
#include "kernel.h"
#include "net.h"

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void tbpf_no_such_kfunc(struct task_struct *task) __ksym __weak;

__s32 found;       // pid of the task that pid 2 names, the kernel's kthreadd: 2
__u32 missing = 1; // becomes 0

SEC("tc")
int find_task(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_task_from_pid(2);

	missing = 0;
	if (!task)
		return TC_OK;
	found = task->pid;
	if (tbpf_no_such_kfunc) {
		missing = 1;
		tbpf_no_such_kfunc(task);
	}
	bpf_task_release(task);
	return TC_OK;
}

char LICENSE[] SEC("license") = "GPL";
