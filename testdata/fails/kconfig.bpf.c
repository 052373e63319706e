// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Cannot do without an option that no kernel's configuration has.
#include "types.h"

extern int CONFIG_TBPF_NO_SUCH_OPTION __kconfig;

__u64 answer;

SEC("syscall")
int ask(void *ctx)
{
	answer = CONFIG_TBPF_NO_SUCH_OPTION;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
