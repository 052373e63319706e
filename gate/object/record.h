/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decisions: what is recorded of them, and what they return. */
#ifndef GATE_RECORD_H
#define GATE_RECORD_H

#include "state.h"

/* What is judged. */
struct request {
	__u32 command;
	__u32 program_type;
	__u32 attach_type;
	__s32 keyring;
	__u32 keyring_type;
	__u32 verdict;
	__u32 flags;
	__u32 entry;
	__u64 tag;
	char name[GATE_NAME];
};

static __always_inline void count(__u32 decision, __u32 reason)
{
	__u32 i = decision * GATE_REASONS + reason;
	__u64 *counter = bpf_map_lookup_elem(&gate_counters, &i);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

/* The executable of the running task: its file and its path. */
static __always_inline void record_exe(struct gate_event *e, bool path)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct file *exe;

	e->exe[0] = 0;
	e->exe_inode = 0;
	e->exe_device = 0;
	if (!mm) {
		e->flags |= GATE_NO_EXE;
		return;
	}
	exe = mm->exe_file;
	if (!exe) {
		e->flags |= GATE_NO_EXE;
		return;
	}
	e->exe_inode = exe->f_inode->i_ino;
	e->exe_device = exe->f_inode->i_sb->s_dev;
	if (path && bpf_d_path(&exe->f_path, e->exe, sizeof(e->exe)) < 0)
		e->exe[0] = 0;
}

static __always_inline void record(const struct gate_config *c, const struct request *r,
				   __u32 decision, __u32 reason, bool path)
{
	struct gate_state *state = gate_memory();
	struct gate_event *e;
	__u64 ids = bpf_get_current_pid_tgid();
	__u64 sequence;
	__u32 slot;

	if (!state)
		return;
	sequence = __sync_fetch_and_add(&state->events, 1) + 1;
	slot = (__u32)(sequence - 1) % GATE_EVENTS;
	e = bpf_map_lookup_elem(&gate_events, &slot);
	if (!e)
		return;
	*(volatile __u64 *)&e->sequence = 0;
	*(volatile __u64 *)&e->check = sequence;
	e->time = bpf_ktime_get_boot_ns();
	e->cgroup = bpf_get_current_cgroup_id();
	e->pid = (__u32)(ids >> 32);
	e->thread = (__u32)ids;
	e->user = (__u32)bpf_get_current_uid_gid();
	e->command = r->command;
	e->program_type = r->program_type;
	e->attach_type = r->attach_type;
	e->keyring = r->keyring;
	e->keyring_type = (__u8)r->keyring_type;
	e->verdict = (__u8)r->verdict;
	e->reason = (__u8)reason;
	e->decision = (__u8)decision;
	e->mode = (__u8)c->mode;
	e->flags = (__u8)r->flags;
	e->entry = (__u16)r->entry;
	*(__u64 *)e->tag = r->tag;
	bpf_get_current_comm(e->task, sizeof(e->task));
	__builtin_memcpy(e->name, r->name, sizeof(e->name));
	record_exe(e, path);
	*(volatile __u64 *)&e->sequence = sequence;
}

/* Lets a request pass, and says so. */
static __always_inline int pass(const struct gate_config *c, const struct request *r, __u32 reason)
{
	count(GATE_PASSED, reason);
	record(c, r, GATE_PASSED, reason, true);
	return 0;
}

/* Refuses a request, or says that it would. */
static __always_inline int refuse(const struct gate_config *c, const struct request *r, __u32 reason, bool path)
{
	__u32 decision = c->mode == GATE_AUDIT ? GATE_AUDITED : GATE_REFUSED;

	count(decision, reason);
	record(c, r, decision, reason, path);
	return decision == GATE_REFUSED ? -EPERM : 0;
}

/* Refuses what is no BPF command. */
static __always_inline int refuse_act(const struct gate_config *c, __u32 reason, bool path)
{
	struct request r = { .command = GATE_NO_COMMAND };

	return refuse(c, &r, reason, path);
}

#endif
