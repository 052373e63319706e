// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Asks the running kernel about its types with every kind of relocation and
// writes the answers into globals. It runs by BPF_PROG_RUN, so the answers are
// the same wherever it was compiled and signed.
#include "core.h"
#include "helpers.h"
#include "kernel.h"

// Flavours: two shapes of one kernel type. The part after three underscores
// is not part of the name.
struct task_struct___since_5_14 {
	unsigned int __state;
} __relocate;

struct task_struct___before_5_14 {
	long state;
} __relocate;

struct task_struct___nowhere {
	int tbpf_no_such_member;
} __relocate;

struct tbpf_no_such_type {
	int member;
} __relocate;

// The enumerator's value here is wrong on purpose: the kernel's must replace it.
enum bpf_map_type___kernel {
	BPF_MAP_TYPE_RINGBUF___kernel = 1000,
};

enum bpf_map_type___nowhere {
	BPF_MAP_TYPE_TBPF___nowhere = 1,
};

__u64 runs;
__u64 tgid_right;         // task->tgid by relocation equals the helper's answer
__u64 leader_right;       // the same through a pointer, group_leader->pid
__u64 comm_right;         // a member that is an array
__u32 state_is_new;       // 1 since Linux 5.14
__u32 state_is_old;       // the opposite
__u32 missing_member = 1; // becomes 0
__u32 missing_type = 1;   // becomes 0
__u32 missing_enum = 1;   // becomes 0
__u32 ringbuf_type;       // becomes 27
__u32 ringbuf_exists;     // becomes 1
__u32 task_exists;        // becomes 1
__u32 task_matches;       // becomes 1
__u64 task_size;          // size of the kernel's task_struct
__u32 pid_size;           // becomes 4
__u32 pid_signed;         // becomes 1
__u32 comm_offset;        // offset of comm in the kernel's task_struct
__u32 task_type_id;       // BTF id in the kernel, not zero

SEC("syscall")
int ask(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct___since_5_14 *newer = (void *)task;
	struct task_struct___before_5_14 *older = (void *)task;
	struct task_struct___nowhere *nowhere = (void *)task;
	struct tbpf_no_such_type *no_type = (void *)task;
	__u64 both = bpf_get_current_pid_tgid();
	char comm[16] = {};

	runs++;
	tgid_right += task->tgid == (int)(both >> 32);
	leader_right += task->group_leader->pid == (int)(both >> 32);
	bpf_get_current_comm(comm, sizeof(comm));
	comm_right += task->comm[0] == comm[0] && task->comm[1] == comm[1];

	state_is_new = core_field_exists(newer->__state);
	state_is_old = core_field_exists(older->state);
	missing_member = core_field_exists(nowhere->tbpf_no_such_member);
	if (core_type_exists(struct tbpf_no_such_type))
		missing_member = no_type->member;
	missing_type = core_type_exists(struct tbpf_no_such_type);
	missing_enum = core_enum_exists(enum bpf_map_type___nowhere, BPF_MAP_TYPE_TBPF___nowhere);
	ringbuf_exists = core_enum_exists(enum bpf_map_type___kernel, BPF_MAP_TYPE_RINGBUF___kernel);
	ringbuf_type = core_enum_value(enum bpf_map_type___kernel, BPF_MAP_TYPE_RINGBUF___kernel);
	task_exists = core_type_exists(struct task_struct);
	task_matches = core_type_matches(struct task_struct___since_5_14);
	task_size = core_type_size(struct task_struct);
	pid_size = core_field_size(task->pid);
	pid_signed = core_field_signed(task->pid);
	comm_offset = core_field_offset(task->comm);
	task_type_id = core_type_id_kernel(struct task_struct);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
