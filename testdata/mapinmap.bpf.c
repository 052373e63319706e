// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps whose elements are maps, with inner maps in place when it is loaded:
// an array of arrays (slot 1 stays empty) and a hash of hashes.
#include "helpers.h"
#include "maps.h"
#include "net.h"

struct inner_array {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), third SEC(".maps");

struct inner_hash {
	__uint(type, MAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} seven SEC(".maps");

struct {
	__uint(type, MAP_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner_array);
} arrays SEC(".maps") = {
	.values = { [0] = &first, [2] = &third },
};

struct {
	__uint(type, MAP_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct inner_hash);
} hashes SEC(".maps") = {
	.values = { [7] = &seven },
};

__u64 empty_slots; // slots of arrays without a map

static __always_inline void bump(__u32 slot)
{
	void *inner = bpf_map_lookup_elem(&arrays, &slot);
	__u32 zero = 0;
	__u64 *counter;

	if (!inner) {
		empty_slots++;
		return;
	}
	counter = bpf_map_lookup_elem(inner, &zero);
	if (counter)
		*counter += slot + 1;
}

SEC("xdp")
int walk(struct xdp_md *ctx)
{
	__u32 key = 7;
	__u64 value = 77;
	void *inner;

	bump(0);
	bump(1);
	bump(2);
	inner = bpf_map_lookup_elem(&hashes, &key);
	if (inner)
		bpf_map_update_elem(inner, &key, &value, ANY);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
