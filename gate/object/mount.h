/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mount of the bpffs that has the gate's pins. It goes if it is unmounted,
 * if a mount above it is unmounted with all beneath it (MNT_DETACH), or if
 * either happens in another namespace to a peer of it. The one who arms the gate
 * makes it private, so that it has none.
 */
#ifndef GATE_MOUNT_H
#define GATE_MOUNT_H

#include "protect.h"

#define MNT_SHARED 0x1000 /* in mnt_flags, include/linux/mount.h before 6.17 */
#define T_SHARED 1	  /* in mnt_t_flags, fs/mount.h */

/* How deep mounts can be for an unmount above to be judged; deeper ones are
 * refused all the same. */
#define DEPTH 16

static __always_inline struct mount *as_mount(__u64 address)
{
	return bpf_rdonly_cast((void *)address, core_type_id_kernel(struct mount));
}

static __always_inline __u64 parent_of(__u64 address)
{
	__u64 parent = 0;

	if (kernel_has_kfuncs())
		return (__u64)as_mount(address)->mnt_parent;
	bpf_probe_read_kernel(&parent, sizeof(parent), (void *)(address + core_field_offset(((struct mount *)0)->mnt_parent)));
	return parent;
}

/* Whether other mounts pass their unmounting on to this one. */
static __always_inline bool has_peers(__u64 address)
{
	__u64 master = 0;
	int flags = 0;

	if (core_field_exists(((struct mount *)0)->mnt_t_flags))
		return as_mount(address)->mnt_t_flags & T_SHARED || as_mount(address)->mnt_master;
	if (kernel_has_kfuncs())
		return as_mount(address)->mnt.mnt_flags & MNT_SHARED || as_mount(address)->mnt_master;
	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)(address + core_field_offset(((struct mount *)0)->mnt) + core_field_offset(((struct vfsmount *)0)->mnt_flags)));
	bpf_probe_read_kernel(&master, sizeof(master), (void *)(address + core_field_offset(((struct mount *)0)->mnt_master)));
	return flags & MNT_SHARED || master;
}

SEC("lsm/sb_umount")
int gate_umount(__u64 *ctx)
{
	struct vfsmount *mnt = (void *)ctx[0];
	struct gate_config *c = gate_on();
	struct gate_state *state = gate_memory();
	__u64 target = ctx[0] - core_field_offset(((struct mount *)0)->mnt);
	__u64 at;

	if (!c || !state)
		return 0;
	if (mnt->mnt_sb->s_dev == c->bpffs) {
		/* Who arms the gate tries it, which shows the gate which of the
		 * mounts of this file system is the one. */
		if (c->test)
			state->mount = target;
		return refuse_act(c, GATE_ITS_MOUNT, true);
	}
	if (c->test)
		return 0;
	at = state->mount;
	if (!at)
		return 0;
	if (has_peers(at))
		return refuse_act(c, GATE_ITS_MOUNT, true);
#pragma unroll
	for (int i = 0; i < DEPTH; i++) {
		__u64 above = parent_of(at);

		if (above == at)
			return 0;
		if (above == target)
			return refuse_act(c, GATE_ITS_MOUNT, true);
		at = above;
	}
	return refuse_act(c, GATE_ITS_MOUNT, true);
}

static __always_inline int judge_place(struct path *path)
{
	struct gate_config *c = gate_on();

	if (!c || c->test || path->mnt->mnt_sb->s_dev != c->bpffs)
		return 0;
	return refuse_act(c, GATE_ITS_MOUNT, false);
}

SEC("lsm/sb_mount")
int gate_mount(__u64 *ctx)
{
	return judge_place((void *)ctx[1]);
}

SEC("lsm/move_mount")
int gate_move_from(__u64 *ctx)
{
	return judge_place((void *)ctx[0]);
}

SEC("lsm/move_mount")
int gate_move_to(__u64 *ctx)
{
	return judge_place((void *)ctx[1]);
}

SEC("lsm/sb_pivotroot")
int gate_pivot(__u64 *ctx)
{
	return judge_place((void *)ctx[1]);
}

#endif
