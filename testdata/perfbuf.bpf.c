// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The same report through perf events. The map names no size: it needs one
// element for each CPU of the machine that loads it.
#include "helpers.h"
#include "kernel.h"
#include "maps.h"

struct {
	__uint(type, MAP_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

struct event {
	__u32 process;
	__u32 thread;
	char name[16];
};

SEC("tp_btf/task_rename")
int report(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct event event = {};

	event.process = task->tgid;
	event.thread = task->pid;
	if (bpf_probe_read_kernel_str(event.name, sizeof(event.name), (void *)ctx[1]) < 0)
		return 0;
	bpf_perf_event_output(ctx, &events, CURRENT_CPU, &event, sizeof(event));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
