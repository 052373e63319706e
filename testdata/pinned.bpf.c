// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A map that asks to be pinned by its name, as many published objects do:
// several objects share it by its place in a BPF file system.
#include "helpers.h"
#include "maps.h"
#include "net.h"

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, 1); // by name
	__type(key, __u32);
	__type(value, __u64);
} shared_counter SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *counter = bpf_map_lookup_elem(&shared_counter, &zero);

	if (counter)
		__sync_fetch_and_add(counter, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
