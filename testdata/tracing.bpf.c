// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The three ways of a BPF trampoline around kernel functions: before, after,
// and instead of one. Threads named tbpf-refused cannot open files.
#include "helpers.h"

__u64 entered;
__u64 left;
__u64 refused;

SEC("fentry/__set_task_comm")
int before(__u64 *ctx)
{
	__sync_fetch_and_add(&entered, 1);
	return 0;
}

SEC("fexit/__set_task_comm")
int after(__u64 *ctx)
{
	__sync_fetch_and_add(&left, 1);
	return 0;
}

SEC("fmod_ret/security_file_open")
int instead(__u64 *ctx)
{
	static const char name[] = "tbpf-refused";
	char comm[16] = {};
	unsigned int i;

	bpf_get_current_comm(comm, sizeof(comm));
	for (i = 0; i < sizeof(name); i++)
		if (comm[i] != name[i])
			return 0;
	__sync_fetch_and_add(&refused, 1);
	return -EACCES;
}

char LICENSE[] SEC("license") = "GPL";
