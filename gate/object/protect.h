/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What holds the gate up: its maps, its pins, their mount, and the executables
 * that it knows. */
#ifndef GATE_PROTECT_H
#define GATE_PROTECT_H

#include "program.h"

/* A descriptor that can write one of its maps. They are frozen as well. */
SEC("lsm/bpf_map")
int gate_map(__u64 *ctx)
{
	struct bpf_map *map = (void *)ctx[0];
	__u32 mode = (__u32)ctx[1];
	struct gate_config *c = gate_on();
	__u32 id;

	if (!c || c->test || !(mode & FMODE_WRITE))
		return 0;
	id = map->id;
#pragma unroll
	for (int i = 0; i < GATE_MAPS; i++)
		if (c->maps[i] && c->maps[i] == id)
			return refuse_act(c, GATE_ITS_MAP, true);
	return 0;
}

/* 0, or why an existing name may not be taken away. */
static __always_inline __u32 holds(const struct gate_config *c, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct gate_file file;

	if (!inode)
		return 0;
	file_of(&file, inode);
	if (file.device == c->bpffs)
		return GATE_ITS_PIN;
	if (bpf_map_lookup_elem(&gate_files, &file))
		return GATE_FILE;
	return 0;
}

static __always_inline int judge_name(struct dentry *dentry)
{
	struct gate_config *c = gate_on();
	__u32 why;

	if (!c || c->test)
		return 0;
	why = holds(c, dentry);
	return why ? refuse_act(c, why, true) : 0;
}

SEC("lsm/inode_unlink")
int gate_unlink(__u64 *ctx)
{
	return judge_name((void *)ctx[1]);
}

SEC("lsm/inode_rmdir")
int gate_rmdir(__u64 *ctx)
{
	return judge_name((void *)ctx[1]);
}

SEC("lsm/inode_rename")
int gate_rename(__u64 *ctx)
{
	struct gate_config *c = gate_on();
	__u32 why;

	if (!c || c->test)
		return 0;
	why = holds(c, (void *)ctx[1]);
	if (!why)
		why = holds(c, (void *)ctx[3]);
	return why ? refuse_act(c, why, true) : 0;
}

/* kernel.ftrace_enabled = 0 turns the gate's hooks off, and every other BPF
 * program that is attached to a function (kernel/trace/ftrace.c,
 * ftrace_enable_sysctl, until 7.2). */
static __always_inline bool is_ftrace_switch(struct file *file)
{
	static const char name[] = "ftrace_enabled";
	struct dentry *dentry = file->f_path.dentry;
	const volatile unsigned char *at;

	if (file->f_inode->i_sb->s_magic != MAGIC_PROC)
		return false;
	if (core_field_exists(dentry->d_shortname))
		at = (void *)&dentry->d_shortname.string;
	else
		at = (void *)&((struct dentry___old *)dentry)->d_iname;
	opaque(at); /* byte by byte: the array's length differs among kernels */
#pragma unroll
	for (int i = 0; i < (int)sizeof(name); i++)
		if (at[i] != name[i])
			return false;
	return true;
}

SEC("lsm/file_open")
int gate_open(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	struct gate_config *c;
	struct gate_file id;

	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	c = gate_on();
	if (!c || c->test)
		return 0;
	if (is_ftrace_switch(file))
		return refuse_act(c, GATE_FTRACE, true);
	file_of(&id, file->f_inode);
	if (bpf_map_lookup_elem(&gate_files, &id))
		return refuse_act(c, GATE_FILE, true);
	return 0;
}

SEC("lsm/path_truncate")
int gate_truncate(__u64 *ctx)
{
	struct path *path = (void *)ctx[0];
	struct gate_config *c = gate_on();
	struct gate_file id;

	if (!c || c->test)
		return 0;
	file_of(&id, path->dentry->d_inode);
	if (bpf_map_lookup_elem(&gate_files, &id))
		return refuse_act(c, GATE_FILE, false);
	return 0;
}

/* A user keyring that is gone leaves its serial number to others
 * (security/keys/keyring.c). */
SEC("fentry/keyring_destroy")
int gate_key(__u64 *ctx)
{
	struct key *key = (void *)ctx[0];
	__u32 zero = 0;
	struct gate_config *c = bpf_map_lookup_elem(&gate_config, &zero);
	struct gate_state *state = gate_memory();

	if (!c || !state)
		return 0;
#pragma unroll
	for (int i = 0; i < GATE_SERIALS; i++)
		if (c->serials[i] && c->serials[i] == key->serial)
			__sync_fetch_and_or(&state->dead, 1U << i);
	return 0;
}

#endif
