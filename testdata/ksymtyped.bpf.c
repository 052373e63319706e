// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Kernel variables by their BTF type: per-CPU ones that exist, and a weak one
// that exists nowhere and becomes zero.
#include "core.h"
#include "helpers.h"
#include "types.h"

struct rq {
	int cpu;
} __relocate;

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
extern const int tbpf_no_such_variable __ksym __weak;

__u32 cpu_right;     // the run queue of CPU 0 says that it is CPU 0
__s32 active = -1;   // value of bpf_prog_active here
__u32 missing = 1;   // becomes 0

SEC("syscall")
int look(void *ctx)
{
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, 0);
	const int *here = bpf_this_cpu_ptr(&bpf_prog_active);

	if (queue)
		cpu_right = queue->cpu == 0;
	active = *here;
	missing = 0;
	if (&tbpf_no_such_variable)
		missing = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
