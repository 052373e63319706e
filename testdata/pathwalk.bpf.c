// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks pointers that the verifier trusts and hands the end of the walk to a
// kfunc that takes nothing else: bprm->file->f_path and file->f_path, as text
// by bpf_path_d_path. It refuses to open the one path that a global names.
#include "helpers.h"
#include "kernel.h"

extern int bpf_path_d_path(struct path *path, char *buffer, unsigned long buffer__sz) __ksym;

#define LONGEST 256

char refused_path[LONGEST]; // set from outside; empty refuses nothing
char last_program[LONGEST]; // what was executed last
__u64 opened;
__u64 failed;

static char scratch[LONGEST];
static char scratch_exec[LONGEST];

SEC("lsm/file_open")
int check_path(__u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	int length, i;

	if ((int)ctx[1])
		return (int)ctx[1];
	opened++;
	length = bpf_path_d_path(&file->f_path, scratch, sizeof(scratch));
	if (length <= 0) {
		failed++;
		return 0;
	}
	for (i = 0; i < LONGEST; i++) {
		if (scratch[i] != refused_path[i])
			return 0;
		if (!scratch[i])
			break;
	}
	return -EPERM;
}

SEC("lsm/bprm_check_security")
int note_program(__u64 *ctx)
{
	struct linux_binprm *bprm = (void *)ctx[0];
	int i;

	// What stands behind the end of the text is left over from making it.
	if (bpf_path_d_path(&bprm->file->f_path, scratch_exec, sizeof(scratch_exec)) <= 0)
		return 0;
	for (i = 0; i < LONGEST; i++) {
		last_program[i] = scratch_exec[i];
		if (!scratch_exec[i])
			break;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
