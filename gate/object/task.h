/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The marks of the trusted loader. A process gets them when it executes the
 * pinned binary, so that nobody has to write a map, and loses them when it
 * executes anything else. Children do not inherit them; what the loader starts
 * of itself has those of its parent, because it believes what its parent says.
 * Who started a process is known from its fork alone: a process that becomes
 * the loader can have children already, and others are given to it when their
 * parents die.
 */
#ifndef GATE_TASK_H
#define GATE_TASK_H

#include "record.h"

/* A new process, before anybody can see it. What the loader starts may be traced
 * and signalled as little as the loader, with whom it may share its memory. */
SEC("lsm/task_alloc")
int gate_fork(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct gate_config *c = gate_on();
	struct task_mark *mark;
	__u32 parent;

	if (!c || ctx[1] & CLONE_THREAD)
		return 0;
	parent = loader_mark();
	if (!parent)
		return 0;
	mark = bpf_task_storage_get(&gate_tasks, task, NULL, STORAGE_CREATE);
	if (!mark)
		return refuse_act(c, GATE_NO_MEMORY, false);
	mark->loader = parent == MARK_TRUSTED ? MARK_CHILD | MARK_HEIR : MARK_CHILD;
	return 0;
}

/* exec, after the point of no return (fs/exec.c, begin_new_exec): the running
 * task is the leader of its thread group by now. */
SEC("lsm/bprm_committed_creds")
int gate_exec(__u64 *ctx)
{
	struct linux_binprm *bprm = (void *)ctx[0];
	struct task_struct *task = bpf_get_current_task_btf();
	struct gate_config *c = gate_on();
	struct task_mark *mark;
	struct gate_file file;
	bool heir = false;

	mark = bpf_task_storage_get(&gate_tasks, task, NULL, 0);
	if (mark) {
		heir = mark->loader & MARK_HEIR;
		mark->loader = 0;
		mark->run = RUN_NONE;
	}
	if (!c || !c->loader_inode)
		return 0;
	file_of(&file, bprm->file->f_inode);
	if (file.inode != c->loader_inode || file.device != c->loader_device)
		return 0;
	if (task->ptrace) /* somebody else decides what it does */
		return 0;
	/* And so does a filter of system calls: it can say that one was made
	 * which was not, or have another process answer. Where it counts whom the
	 * loader is started by, and unless that is the loader. */
	if (!kernel_checks() && !heir && task->seccomp.mode)
		return 0;
	mark = bpf_task_storage_get(&gate_tasks, task, NULL, STORAGE_CREATE);
	if (mark)
		mark->loader = heir ? MARK_TRUSTED : MARK_BINARY;
	return 0;
}

/* The process that armed the gate began before there was one. It gets its marks
 * once, when it asks for something; what it read is what was frozen. */
static __always_inline void adopt_loader(const struct gate_config *c, struct gate_state *state)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_mark *mark;

	if (!c->loader || state->loader || c->loader != current_process())
		return;
	mark = bpf_task_storage_get(&gate_tasks, task->group_leader, NULL, STORAGE_CREATE);
	if (!mark)
		return;
	mark->loader = MARK_TRUSTED;
	state->loader = 1;
}

static __always_inline bool floor_known(const struct gate_config *c, const struct gate_state *state, const __u64 *digest)
{
	if (!state->floors)
		return same_digest(digest, c->floor);
	return same_digest(digest, state->floor[0]) || same_digest(digest, state->floor[1]);
}

/* A loader says what it read. */
static __always_inline int told(struct gate_config *c, struct gate_state *state, union bpf_attr *attr)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_mark *mark = bpf_task_storage_get(&gate_tasks, task->group_leader, NULL, 0);
	__u64 digest[4] = { attr->log_buf, attr->func_info, attr->line_info, attr->fd_array };
	__u32 what = attr->prog_type;

	if (!mark || !(mark->loader & MARK_BINARY))
		return -EPERM;
	if (what == GATE_TELL_STATE && same_digest(digest, c->state)) {
		mark->loader |= MARK_STATE;
		return 0;
	}
	if (what == GATE_TELL_FLOOR && floor_known(c, state, digest)) {
		/* The one that it did not read was never written. */
		__builtin_memcpy(state->floor[0], digest, sizeof(digest));
		__builtin_memcpy(state->floor[1], digest, sizeof(digest));
		state->floors = 1;
		mark->loader |= MARK_FLOOR;
		return 0;
	}
	if (what == GATE_TELL_NEXT && mark->loader == MARK_TRUSTED) {
		if (!state->floors)
			__builtin_memcpy(state->floor[0], c->floor, sizeof(digest));
		else
			__builtin_memcpy(state->floor[0], state->floor[1], sizeof(digest));
		__builtin_memcpy(state->floor[1], digest, sizeof(digest));
		state->floors = 1;
		return 0;
	}
	return -EPERM;
}

/* Tracing the loader would be loading in its name. */
static __always_inline bool is_loader(struct task_struct *task)
{
	struct task_mark *mark = bpf_task_storage_get(&gate_tasks, task->group_leader, NULL, 0);

	return mark && mark->loader;
}

SEC("lsm/ptrace_access_check")
int gate_trace(__u64 *ctx)
{
	struct task_struct *child = (void *)ctx[0];
	__u32 mode = (__u32)ctx[1];
	struct gate_config *c = gate_on();

	if (!c || !(mode & PTRACE_ATTACH) || !is_loader(child))
		return 0;
	return refuse_act(c, GATE_PROCESS, false);
}

SEC("lsm/ptrace_traceme")
int gate_traceme(__u64 *ctx)
{
	struct gate_config *c = gate_on();

	if (!c || !loader_mark())
		return 0;
	return refuse_act(c, GATE_PROCESS, false);
}

/* Signals that end or stop the loader. Its own processes, and the kernel, may. */
SEC("lsm/task_kill")
int gate_kill(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	__u32 sig = (__u32)ctx[2];
	struct gate_config *c = gate_on();

	if (!c || !sig || sig == 17 /* SIGCHLD */ || sig == 18 /* SIGCONT */)
		return 0;
	if (!is_loader(task) || loader_mark())
		return 0;
	return refuse_act(c, GATE_PROCESS, false);
}

#endif
