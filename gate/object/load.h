/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads. Three ways to decide, by what the kernel has:
 *
 *   7.2 and later   the kernel keeps its verdict in the program
 *   6.18 to 7.1     a signature that is there was checked before the hook
 *                   (kernel/bpf/syscall.c, bpf_prog_load)
 *   before 6.18     no signatures: only the trusted loader may load
 *
 * A SYSCALL program that was allowed may load and attach from inside its run.
 * Which one runs, bpf_prog_test_run_syscall is given as an argument, after the
 * descriptor was looked up: nobody can swap it any more.
 */
#ifndef GATE_LOAD_H
#define GATE_LOAD_H

#include "task.h"

/* The run of a SYSCALL program begins. Should the kernel pass over this program
 * (another task of this CPU is just in it), the run has no mark and is refused
 * everything. */
SEC("fentry/bpf_prog_test_run_syscall")
int gate_run(__u64 *ctx)
{
	struct bpf_prog *prog = (void *)ctx[0];
	struct task_mark *mark;
	struct gate_program *known;
	__u64 key = (__u64)prog->aux;

	if (!gate_on())
		return 0;
	mark = bpf_task_storage_get(&gate_tasks, bpf_get_current_task_btf(), NULL, STORAGE_CREATE);
	if (!mark)
		return 0;
	known = bpf_map_lookup_elem(&gate_programs, &key);
	mark->run = known && known->state == GATE_PROGRAM_SIGNED ? RUN_ALLOWED : RUN_REFUSED;
	return 0;
}

/* It is over. What comes next of this thread begins with gate_bpf, which also
 * ends it, and which the kernel cannot pass over. */
SEC("fexit/bpf_prog_test_run_syscall")
int gate_ran(__u64 *ctx)
{
	struct task_mark *mark = bpf_task_storage_get(&gate_tasks, bpf_get_current_task_btf(), NULL, 0);

	if (mark)
		mark->run = RUN_NONE;
	return 0;
}

static __always_inline void describe(struct request *r, union bpf_attr *attr, bool from_kernel)
{
	r->command = CMD_PROG_LOAD;
	r->program_type = attr->prog_type;
	r->attach_type = attr->expected_attach_type;
	if (from_kernel)
		r->flags |= GATE_FROM_KERNEL;
	if (kernel_has_kfuncs() && attr->prog_flags & F_TOKEN)
		r->flags |= GATE_TOKEN;
#pragma unroll
	for (int i = 0; i < GATE_NAME - 1; i++)
		r->name[i] = attr->prog_name[i];
}

static __always_inline bool pinned_serial(const struct gate_config *c, __s32 serial)
{
	struct gate_state *state = gate_memory();

	if (serial <= 0 || !state)
		return false;
#pragma unroll
	for (int i = 0; i < GATE_SERIALS; i++)
		if (c->serials[i] == serial)
			return !(state->dead & 1U << i);
	return false;
}

enum { KEYRING_BUILTIN = 1, KEYRING_SECONDARY, KEYRING_PLATFORM, KEYRING_USER };

/* What keyring_id asks for (kernel/bpf/syscall.c, bpf_prog_verify_signature). */
static __always_inline __u32 asked_type(__s32 id)
{
	return id >= 0 && id <= 2 ? (__u32)id + KEYRING_BUILTIN : KEYRING_USER;
}

static __always_inline bool pinned(const struct gate_config *c, const struct request *r)
{
	if (r->keyring_type == KEYRING_USER)
		return pinned_serial(c, r->keyring);
	return r->keyring_type && r->keyring_type < KEYRING_USER && c->keyrings & 1U << r->keyring_type;
}

/* Attributes that are applied after the signature was checked, and that no
 * loader program needs. */
static __always_inline bool uncovered(union bpf_attr *attr)
{
	return attr->core_relo_cnt || attr->core_relos || attr->prog_btf_fd || attr->func_info_cnt ||
	       attr->line_info_cnt || attr->attach_btf_id || attr->attach_prog_fd;
}

/* The entry of the allow list for what the running task loads; 0: none. */
static __always_inline __u32 listed(struct gate_listed *key, bool *tagged)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct file *exe;
	__u32 *entry;

	if (!mm)
		return 0;
	exe = mm->exe_file;
	if (!exe)
		return 0;
	file_of(&key->exe, exe->f_inode);
	__builtin_memset(key->tag, 0, sizeof(key->tag));
	*tagged = false;
	entry = bpf_map_lookup_elem(&gate_allow, key);
	if (entry)
		return *entry;
	__builtin_memset(key->tag, 0xff, sizeof(key->tag));
	*tagged = true;
	entry = bpf_map_lookup_elem(&gate_allow, key);
	return entry ? *entry : 0;
}

/* Remembers a program until it is freed. */
static __always_inline bool remember(__u64 aux, __u32 state, __u32 entry, const struct gate_file *exe)
{
	struct gate_program p = { .state = state, .entry = entry };

	if (exe)
		p.exe = *exe;
	return bpf_map_update_elem(&gate_programs, &aux, &p, ANY) == 0;
}

/* A load that nothing vouches for: the allow list, or refused. aux is 0 where
 * the hook does not know the program yet. */
static __always_inline int judge_unsigned(const struct gate_config *c, struct request *r, __u64 aux, __u32 reason)
{
	struct gate_listed key = {};
	bool tagged = false;

	r->entry = listed(&key, &tagged);
	if (!r->entry || c->test)
		return refuse(c, r, c->test ? GATE_TEST : reason, true);
	if (tagged && aux && !remember(aux, GATE_PROGRAM_TAGGED, r->entry, &key.exe))
		return refuse(c, r, GATE_NO_MEMORY, true);
	if (tagged) /* told when its tag is known */
		return 0;
	return pass(c, r, GATE_LISTED);
}

/*
 * An iterator over the entries of a map writes them, also where its caller can
 * only read the map, or it is frozen (kernel/bpf/map_iter.c, bpf_iter_attach_map,
 * asks for neither): with one that is older than the gate, its settings. Which map
 * it is, stands in the caller's memory, where another thread can change it after
 * it was looked at. So nobody attaches iterators to what he names, but those who
 * may load.
 */
static __always_inline int judge_link(const struct gate_config *c, union bpf_attr *attr)
{
	struct request r = { .command = CMD_LINK_CREATE, .attach_type = ATTACH_TRACE_ITER };
	struct gate_listed key = {};
	bool tagged = false;

	if (c->test || attr->link_create.attach_type != ATTACH_TRACE_ITER || !attr->link_create.iter_info_len)
		return 0;
	if (!kernel_checks() && loader_mark() == MARK_TRUSTED)
		return 0;
	r.entry = listed(&key, &tagged);
	if (r.entry && !tagged)
		return pass(c, &r, GATE_LISTED);
	return refuse(c, &r, GATE_ITERATOR, true);
}

/* Every bpf(2) command, whoever asks: a process, or a SYSCALL program. */
SEC("lsm/bpf")
int gate_bpf(__u64 *ctx)
{
	__u32 command = (__u32)ctx[0];
	union bpf_attr *attr = (void *)ctx[1];
	struct gate_config *c = gate_on();
	struct gate_state *state = gate_memory();
	struct request r = {};
	struct task_mark *mark;
	bool from_kernel = false;

	if (!c || !state)
		return 0;
	if (kernel_checks())
		from_kernel = ctx[3] & 1;
	adopt_loader(c, state);
	if (kernel_checks()) {
		mark = bpf_task_storage_get(&gate_tasks, bpf_get_current_task_btf(), NULL, 0);
		if (!from_kernel && mark)
			mark->run = RUN_NONE;
		if (from_kernel && (!mark || mark->run != RUN_ALLOWED)) {
			if (command == CMD_PROG_LOAD)
				describe(&r, attr, true);
			r.command = command;
			r.flags |= GATE_FROM_KERNEL;
			return refuse(c, &r, GATE_NOT_NESTED, true);
		}
		if (command == CMD_LINK_CREATE && !from_kernel)
			return judge_link(c, attr);
		return 0;
	}
	if (command == CMD_LINK_CREATE)
		return judge_link(c, attr);
	if (command == GATE_COMMAND) {
		r.command = command;
		return told(c, state, attr) ? refuse(c, &r, GATE_STATE, true) : 0;
	}
	if (command != CMD_PROG_LOAD)
		return 0;
	describe(&r, attr, false);
	if (loader_mark() == MARK_TRUSTED)
		return pass(c, &r, GATE_LOADER);
	return judge_unsigned(c, &r, 0, GATE_NOT_LOADER);
}

/* Every load, after the kernel checked the signature. */
SEC("?lsm/bpf_prog_load")
int gate_load(__u64 *ctx)
{
	struct bpf_prog *prog = (void *)ctx[0];
	union bpf_attr *attr = (void *)ctx[1];
	struct gate_config *c = gate_on();
	struct bpf_prog_aux *aux = prog->aux;
	struct request r = {};
	__u64 key = (__u64)aux;

	if (!c)
		return 0;
	if (!kernel_checks()) {
		/* gate_bpf has judged it; what a tag decides needs the program. */
		struct gate_listed listing = {};
		bool tagged = false;
		__u32 entry;

		if (loader_mark() == MARK_TRUSTED)
			return 0;
		entry = listed(&listing, &tagged);
		if (entry && tagged && !remember(key, GATE_PROGRAM_TAGGED, entry, &listing.exe)) {
			describe(&r, attr, false);
			return refuse(c, &r, GATE_NO_MEMORY, true);
		}
		return 0;
	}
	describe(&r, attr, ctx[3] & 1);
	if (kernel_keeps()) {
		r.verdict = aux->sig.verdict == 1;
		r.keyring_type = aux->sig.keyring_type;
		r.keyring = aux->sig.keyring_serial;
	} else if (attr->signature) {
		r.verdict = 1;
		r.keyring = attr->keyring_id;
		r.keyring_type = asked_type(r.keyring);
	}
	if (!attr->signature && attr->signature_size)
		return refuse(c, &r, GATE_NO_SIGNATURE, true);
	if (ctx[3] & 1) {
		struct task_mark *mark = bpf_task_storage_get(&gate_tasks, bpf_get_current_task_btf(), NULL, 0);

		if (mark && mark->run == RUN_ALLOWED)
			return pass(c, &r, GATE_NESTED);
		return refuse(c, &r, GATE_NOT_NESTED, true);
	}
	if (!r.verdict)
		return judge_unsigned(c, &r, key, GATE_UNSIGNED);
	if (r.program_type != PROG_SYSCALL)
		return refuse(c, &r, GATE_TYPE, true);
	if (uncovered(attr))
		return refuse(c, &r, GATE_UNCOVERED, true);
	if (!pinned(c, &r))
		return refuse(c, &r, GATE_KEYRING, true);
	if (!remember(key, GATE_PROGRAM_SIGNED, 0, NULL))
		return refuse(c, &r, GATE_NO_MEMORY, true);
	return pass(c, &r, GATE_SIGNED);
}

/* 6.1 has no hook for loads; this one is where a program's aux is made. */
SEC("?lsm/bpf_prog_alloc_security")
int gate_alloc(__u64 *ctx)
{
	struct gate_config *c = gate_on();
	struct gate_listed listing = {};
	struct request r = { .command = CMD_PROG_LOAD };
	bool tagged = false;
	__u64 key = ctx[0];
	__u32 entry;

	if (!c || loader_mark() == MARK_TRUSTED)
		return 0;
	entry = listed(&listing, &tagged);
	if (entry && tagged && !remember(key, GATE_PROGRAM_TAGGED, entry, &listing.exe))
		return refuse(c, &r, GATE_NO_MEMORY, false);
	return 0;
}

SEC("?lsm/bpf_prog_free")
int gate_free(__u64 *ctx)
{
	struct bpf_prog *prog = (void *)ctx[0];
	__u64 key = (__u64)prog->aux;

	bpf_map_delete_elem(&gate_programs, &key);
	return 0;
}

SEC("?lsm/bpf_prog_free_security")
int gate_free_aux(__u64 *ctx)
{
	__u64 key = ctx[0];

	bpf_map_delete_elem(&gate_programs, &key);
	return 0;
}

#endif
