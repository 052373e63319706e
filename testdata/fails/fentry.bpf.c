// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Wants to be attached to a kernel function that exists nowhere.
#include "types.h"

SEC("fentry/tbpf_no_such_function")
int before(__u64 *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
