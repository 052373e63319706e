// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Map values that hold things of the kernel, which it finds by the value's BTF
// type: a timer, whose callback is a function of this object, and a spin lock.
#include "helpers.h"
#include "maps.h"
#include "net.h"

struct bpf_timer {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_spin_lock {
	__u32 value;
};

struct timed {
	struct bpf_timer timer;
	__u64 fired;
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 first;
	__u32 second;
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

__u64 fired;
__u32 sum;

static int ring(void *map, __u32 *key, struct timed *value)
{
	value->fired++;
	__sync_fetch_and_add(&fired, 1);
	return 0;
}

SEC("xdp")
int set(struct xdp_md *ctx)
{
	struct locked fresh = {};
	__u32 zero = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &zero);
	struct locked *locked;

	if (timed) {
		bpf_timer_init(&timed->timer, &timers, 1); // CLOCK_MONOTONIC
		bpf_timer_set_callback(&timed->timer, ring);
		bpf_timer_start(&timed->timer, 1000, 0);
	}
	bpf_map_update_elem(&locks, &zero, &fresh, ANY);
	locked = bpf_map_lookup_elem(&locks, &zero);
	if (!locked)
		return XDP_ABORTED;
	bpf_spin_lock(&locked->lock);
	locked->first += 20;
	locked->second += 1;
	sum = locked->first + locked->second;
	bpf_spin_unlock(&locked->lock);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
