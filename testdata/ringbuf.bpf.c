// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reports through a ring buffer each time a thread takes a new name.
#include "helpers.h"
#include "kernel.h"
#include "maps.h"

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 64 * 1024);
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
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	event->process = task->tgid;
	event->thread = task->pid;
	if (bpf_probe_read_kernel_str(event->name, sizeof(event->name), (void *)ctx[1]) < 0) {
		bpf_ringbuf_discard(event, 0);
		return 0;
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
