/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The members of kernel structures that the gate reads, and the helpers that
 * it calls. Every access is relocated against the running kernel's BTF, so
 * offsets and the members that are left out do not matter.
 */
#ifndef GATE_KERNEL_H
#define GATE_KERNEL_H

#include "core.h"
#include "helpers.h"
#include "maps.h"
#include "types.h"

#define HELPER(number, result, name, ...) \
	static result (*const name)(__VA_ARGS__) = (void *)number

struct path;
HELPER(15, __u64, bpf_get_current_uid_gid, void);
HELPER(125, __u64, bpf_ktime_get_boot_ns, void);
HELPER(147, long, bpf_d_path, struct path *path, char *to, __u32 size);
#undef HELPER

/* Creates the storage that a task does not have yet (linux/bpf.h). */
#define STORAGE_CREATE 1

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
} __relocate;

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} __relocate;

/* From 6.16 a short name is in a union, before in an array (linux/dcache.h). */
union shortname_store {
	unsigned char string[40];
} __relocate;

struct dentry {
	struct inode *d_inode;
	union shortname_store d_shortname;
} __relocate;

struct dentry___old {
	unsigned char d_iname[32];
} __relocate;

struct vfsmount {
	struct super_block *mnt_sb;
	int mnt_flags;
} __relocate;

/* Propagation is a flag of the mount from 6.17 on, before of its vfsmount. */
struct mount {
	struct mount *mnt_parent;
	struct mount *mnt_master;
	struct vfsmount mnt;
	int mnt_t_flags;
} __relocate;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} __relocate;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_mode;
} __relocate;

struct mm_struct {
	struct file *exe_file;
} __relocate;

struct seccomp {
	int mode; /* 0: no system call is filtered */
} __relocate;

struct task_struct {
	int pid;
	int tgid;
	unsigned int ptrace;
	struct mm_struct *mm;
	struct task_struct *group_leader;
	struct seccomp seccomp;
} __relocate;

struct linux_binprm {
	struct file *file;
} __relocate;

struct key {
	__s32 serial;
} __relocate;

struct bpf_token {
	__u64 allowed_cmds;
} __relocate;

struct bpf_map {
	__u32 id;
	__u32 excl; /* 7.2 and later 6.18: the map is one program's alone */
	bool frozen;
} __relocate;

struct bpf_prog_aux {
	__u32 id;
	__u32 used_map_cnt;
	struct bpf_map **used_maps;
	struct bpf_prog *prog;
	char name[16];
	struct {
		__s32 keyring_serial;
		__u8 keyring_type;
		__u8 verdict;
	} sig; /* 7.2 */
} __relocate;

enum bpf_prog_type { PROG_SYSCALL = 31 };

struct bpf_prog {
	enum bpf_prog_type type;
	__u8 tag[8];
	struct bpf_prog_aux *aux;
} __relocate;

/* What BPF_PROG_LOAD reads of it (uapi linux/bpf.h). */
union bpf_attr {
	struct {
		__u32 prog_type;
		__u32 insn_cnt;
		__u64 insns;
		__u64 license;
		__u32 log_level;
		__u32 log_size;
		__u64 log_buf;
		__u32 kern_version;
		__u32 prog_flags;
		char prog_name[16];
		__u32 prog_ifindex;
		__u32 expected_attach_type;
		__u32 prog_btf_fd;
		__u32 func_info_rec_size;
		__u64 func_info;
		__u32 func_info_cnt;
		__u32 line_info_rec_size;
		__u64 line_info;
		__u32 line_info_cnt;
		__u32 attach_btf_id;
		__u32 attach_prog_fd;
		__u32 core_relo_cnt;
		__u64 fd_array;
		__u64 core_relos;
		__u32 core_relo_rec_size;
		__u32 log_true_size;
		__s32 prog_token_fd;
		__u32 fd_array_cnt;
		__u64 signature; /* 6.18 */
		__u32 signature_size;
		__s32 keyring_id;
	};
	/* And BPF_LINK_CREATE. */
	struct {
		__u32 prog_fd;
		__u32 target_fd;
		__u32 attach_type;
		__u32 flags;
		union {
			struct {
				__u64 iter_info;
				__u32 iter_info_len;
			};
		};
	} link_create;
} __relocate;

/* bpf(2) commands, program types and flags (uapi linux/bpf.h). */
enum {
	CMD_PROG_LOAD = 5,
	CMD_LINK_CREATE = 28,
	ATTACH_TRACE_ITER = 28,
	F_TOKEN = 1 << 16,
};

/* Whether the kernel checks signatures (6.18), and keeps the verdict (7.2). */
#define kernel_checks() core_field_exists(((union bpf_attr *)0)->signature)
#define kernel_keeps() core_field_exists(((struct bpf_prog_aux *)0)->sig)
/* Whether it has BPF tokens (6.9), and so every kfunc that the gate calls. */
#define kernel_has_kfuncs() core_type_exists(struct bpf_token)

/* Reads memory as if it were of the type, without a right to write (6.2). */
extern void *bpf_rdonly_cast(const void *pointer, __u32 type) __ksym __weak;

#define FMODE_WRITE 2U
#define CLONE_THREAD 0x10000UL
#define MAGIC_PROC 0x9fa0UL
#define PTRACE_ATTACH 2U

#endif
