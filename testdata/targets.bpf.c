// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs whose sections do not say what they are attached to, or name
// something that is not there: their own loader would choose it when it runs.
// Who signs may name it, and for the last three the machine.
#include "types.h"

__u64 renamed;   // fentry
__u64 traced;    // tp_btf
__u64 replaced;  // fexit, whose section names a function that no kernel has
__u64 by_raw_tp;
__u64 by_tracepoint;
__u64 by_kprobe;
__u64 unattached;

#define COUNTS(section, name, counter) \
	SEC(section) int name(void *ctx) \
	{ \
		__sync_fetch_and_add(&counter, 1); \
		return 0; \
	}

COUNTS("fentry", at_entry, renamed)
COUNTS("tp_btf", at_tracepoint, traced)
COUNTS("fexit/tbpf_placeholder", at_exit, replaced)
COUNTS("raw_tp", on_raw_tp, by_raw_tp)
COUNTS("tp", on_tracepoint, by_tracepoint)
COUNTS("kprobe", on_function, by_kprobe)
COUNTS("kretprobe", nowhere, unattached)

char LICENSE[] SEC("license") = "GPL";
