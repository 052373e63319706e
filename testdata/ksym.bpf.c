// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Addresses of kernel symbols without a type, found in kallsyms when the
// object is loaded. The weak one exists nowhere and becomes zero.
#include "types.h"

extern const void init_task __ksym;
extern const void init_net __ksym;
extern const void tbpf_no_such_symbol __ksym __weak;

__u64 init_task_address;
__u64 init_net_address;
__u64 missing_address = 1;

SEC("syscall")
int addresses(void *ctx)
{
	init_task_address = (__u64)&init_task;
	init_net_address = (__u64)&init_net;
	missing_address = (__u64)&tbpf_no_such_symbol;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
