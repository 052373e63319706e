// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Refuses opens by one process with the error number that a constant holds.
// Kernels since 6.12 take the program only if they know the constant when they
// verify it: .rodata must be frozen before the program is loaded.
#include "helpers.h"

const volatile __u32 refusal = EACCES; // 1 to 100
__u32 process;                         // whose opens are refused, 0 nobody's
__u64 refused;

SEC("lsm/file_open")
int refuse(__u64 *ctx)
{
	int verdict = 0;

	if (!process || (__u32)(bpf_get_current_pid_tgid() >> 32) != process)
		return 0;
	__sync_fetch_and_add(&refused, 1);
	// Subtracted, because Linux 6.12 forgets what it knows of a number that
	// is negated.
	opaque(verdict);
	verdict -= refusal;
	return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
