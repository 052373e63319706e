/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The gate's maps, and the way to them. */
#ifndef GATE_STATE_H
#define GATE_STATE_H

#include "config.h"
#include "event.h"
#include "kernel.h"

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_config);
} gate_config SEC(".maps");

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_state);
} gate_state SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 256);
	__type(key, struct gate_listed);
	__type(value, __u32); /* number of the entry, from 1 */
} gate_allow SEC(".maps");

/* Executables that stay what they are: the loader, and those of the allow list. */
struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 256);
	__type(key, struct gate_file);
	__type(value, __u32);
} gate_files SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct gate_program);
} gate_programs SEC(".maps");

/* Marks of a task. */
struct task_mark {
	__u32 loader; /* MARK_*: this process is the trusted loader. Of thread group leaders */
	__u32 run;    /* enum run: the SYSCALL program that this thread runs */
};

enum {
	MARK_BINARY = 1, /* it executes the loader's binary */
	MARK_STATE = 2,  /* it read what was frozen */
	MARK_FLOOR = 4,
	MARK_TRUSTED = MARK_BINARY | MARK_STATE | MARK_FLOOR,
	MARK_CHILD = 8, /* the loader started it, and it has executed nothing yet */
	MARK_HEIR = 16, /* the loader that did so had all three */
};

enum run { RUN_NONE, RUN_ALLOWED, RUN_REFUSED };

struct {
	__uint(type, MAP_TASK_STORAGE);
	__uint(map_flags, F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_mark);
} gate_tasks SEC(".maps");

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, GATE_EVENTS);
	__type(key, __u32);
	__type(value, struct gate_event);
} gate_events SEC(".maps");

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, GATE_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} gate_counters SEC(".maps");

static __always_inline __u32 current_process(void)
{
	return (__u32)(bpf_get_current_pid_tgid() >> 32);
}

/* The settings by which the running process is judged; NULL: it is not. */
static __always_inline struct gate_config *gate_on(void)
{
	__u32 zero = 0;
	struct gate_config *c = bpf_map_lookup_elem(&gate_config, &zero);

	if (!c || !c->mode)
		return NULL;
	if (c->test && c->test != current_process())
		return NULL;
	return c;
}

static __always_inline struct gate_state *gate_memory(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&gate_state, &zero);
}

/* The marks of the process that the running thread belongs to. */
static __always_inline __u32 loader_mark(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_mark *mark = bpf_task_storage_get(&gate_tasks, task->group_leader, NULL, 0);

	return mark ? mark->loader : 0;
}

static __always_inline bool same_digest(const __u64 *a, const __u64 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline void file_of(struct gate_file *id, struct inode *inode)
{
	id->inode = inode->i_ino;
	id->device = inode->i_sb->s_dev;
	id->zero = 0;
}

#endif
