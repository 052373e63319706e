// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Calls a helper that is only for programs under the GPL, and is not.
#include "helpers.h"

SEC("raw_tp/task_rename")
int read_kernel(__u64 *ctx)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)ctx[0]);
	return 0;
}

char LICENSE[] SEC("license") = "Proprietary";
