// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Takes for a number what is a text in every kernel's configuration.
#include "types.h"

extern int CONFIG_DEFAULT_HOSTNAME __kconfig;

__u64 answer;

SEC("syscall")
int ask(void *ctx)
{
	answer = CONFIG_DEFAULT_HOSTNAME;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
