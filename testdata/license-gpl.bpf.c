// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program under the license that is named at the end. The name decides
// which helpers the kernel lets it call.
#include "helpers.h"

__u64 runs;

SEC("syscall")
int run(void *ctx)
{
	runs++;
	return bpf_get_smp_processor_id() >= 0;
}

char LICENSE[] SEC("license") = "GPL";
