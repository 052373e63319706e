// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A sampling program. Which event it samples is said when it is attached.
#include "types.h"

__u64 samples;

SEC("perf_event")
int sample(void *ctx)
{
	__sync_fetch_and_add(&samples, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
