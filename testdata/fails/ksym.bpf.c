// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Needs a kernel symbol that exists nowhere.
#include "types.h"

extern const void tbpf_no_such_symbol __ksym;

__u64 address;

SEC("syscall")
int find(void *ctx)
{
	address = (__u64)&tbpf_no_such_symbol;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
