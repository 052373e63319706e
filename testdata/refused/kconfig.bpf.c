// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Asks for a fact about the kernel that no loader knows, and cannot do without.
#include "types.h"

extern unsigned int LINUX_TBPF_UNKNOWN __kconfig;

__u64 answer;

SEC("syscall")
int ask(void *ctx)
{
	answer = LINUX_TBPF_UNKNOWN;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
