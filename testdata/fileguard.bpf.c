// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Refuses to open the files that a map names, for everybody, with EPERM.
// A file is its inode number and its device as the kernel numbers it.
#include "helpers.h"
#include "kernel.h"
#include "maps.h"

struct file_id {
	__u64 inode;
	__u32 device;
	__u32 zero;
};

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 1024);
	__type(key, struct file_id);
	__type(value, __u8);
} guarded SEC(".maps");

enum { OPENED, REFUSED, COUNTERS };

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &which);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

SEC("lsm/file_open")
int guard_open(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	int verdict = (int)ctx[1];
	struct file_id id = {};

	if (verdict)
		return verdict;
	id.inode = file->f_inode->i_ino;
	id.device = file->f_inode->i_sb->s_dev;
	count(OPENED);
	if (!bpf_map_lookup_elem(&guarded, &id))
		return 0;
	count(REFUSED);
	return -EPERM;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
