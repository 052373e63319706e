// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A sleepable LSM program: it reads the memory of the process that opens a
// file, which only a program that may sleep can.
#include "helpers.h"

__u32 process; // whose memory is read
__u64 address; // where
char seen[16]; // what was there
__u64 reads;

SEC("lsm.s/file_open")
int read_opener(__u64 *ctx)
{
	if (!process || (__u32)(bpf_get_current_pid_tgid() >> 32) != process)
		return 0;
	if (!bpf_copy_from_user(seen, sizeof(seen), (void *)address))
		__sync_fetch_and_add(&reads, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
