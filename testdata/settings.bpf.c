// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Finds slow renames of threads, the way tools find slow system calls: which
// process, which control group and what is slow are settings that a machine
// chooses when it loads the program. tbpf's tunables are tested with it.
#include "helpers.h"
#include "maps.h"

enum mode { COUNT, LIST, BOTH = 7 };

const volatile __s32 target_pid;       // 0 is every process
const volatile __u64 threshold_ns = 1; // what is slow
const volatile __u64 cgroup_id;        // 0 is every control group
const volatile enum mode mode = COUNT;
const volatile char comm[16]; // of the renamed thread; "" is every name
const volatile bool broken;   // no kernel loads the program unless this is false

struct limits {
	__u16 depth;
	__s8 bias;
	__u8 spare : 3;
	__u32 weights[3];
};

struct limits limits = {.depth = 4, .bias = -3, .weights = {1, 2, 3}};
char label[300] = "a text that is too long to be set";
char *pointer;

__u64 counted;
__u64 listed;

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} began SEC(".maps");

struct {
	__uint(type, MAP_QUEUE);
	__uint(max_entries, 2);
	__type(value, __u32);
} slow SEC(".maps");

static __always_inline bool wanted(void)
{
	char name[16] = {};
	unsigned int i;

	if (target_pid && (__s32)(bpf_get_current_pid_tgid() >> 32) != target_pid)
		return false;
	if (cgroup_id && bpf_get_current_cgroup_id() != cgroup_id)
		return false;
	bpf_get_current_comm(name, sizeof(name));
	for (i = 0; i < sizeof(name); i++) {
		if (!comm[i])
			return true;
		if (comm[i] != name[i])
			return false;
	}
	return true;
}

SEC("fentry/__set_task_comm")
int before(__u64 *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	if (wanted())
		bpf_map_update_elem(&began, &thread, &now, ANY);
	return 0;
}

SEC("fexit/__set_task_comm")
int after(__u64 *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&began, &thread);

	if (broken) // taken out by the verifier, which knows the constant
		bpf_map_delete_elem(NULL, &thread);
	if (!start)
		return 0;
	if (bpf_ktime_get_ns() - *start >= threshold_ns) {
		if (mode != LIST)
			__sync_fetch_and_add(&counted, limits.weights[0]);
		if (mode != COUNT && bpf_map_push_elem(&slow, &thread, 0) == 0)
			__sync_fetch_and_add(&listed, 1);
	}
	bpf_map_delete_elem(&began, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
