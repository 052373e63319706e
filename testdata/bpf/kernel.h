/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The members of kernel structures that the fixtures read. Offsets do not
 * matter: every access is relocated against the running kernel's BTF.
 */
#ifndef TBPF_KERNEL_H
#define TBPF_KERNEL_H

#include "core.h"
#include "types.h"

struct super_block {
	__u32 s_dev;
} __relocate;

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} __relocate;

struct dentry {
	struct inode *d_inode;
} __relocate;

struct vfsmount;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} __relocate;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
} __relocate;

struct linux_binprm {
	struct file *file;
} __relocate;

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
} __relocate;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __relocate;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __relocate;

#endif
