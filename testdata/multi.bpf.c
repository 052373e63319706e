// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Three programs of different types that share two maps.
#include "helpers.h"
#include "kernel.h"
#include "maps.h"

enum { BY_LSM, BY_TRACEPOINT, BY_FENTRY, COUNTERS };

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

// Only what the threads of this process do is counted.
struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u8);
} watched SEC(".maps");

static __always_inline void hit(__u32 which)
{
	__u32 process = bpf_get_current_pid_tgid() >> 32;
	__u64 *counter;

	if (!bpf_map_lookup_elem(&watched, &process))
		return;
	counter = bpf_map_lookup_elem(&hits, &which);
	if (counter)
		__sync_fetch_and_add(counter, 1);
}

SEC("lsm/file_open")
int on_open(__u64 *ctx)
{
	hit(BY_LSM);
	return 0;
}

SEC("tp_btf/task_rename")
int on_rename(__u64 *ctx)
{
	hit(BY_TRACEPOINT);
	return 0;
}

SEC("fentry/__set_task_comm")
int on_set_comm(__u64 *ctx)
{
	hit(BY_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
