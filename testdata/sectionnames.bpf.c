// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Variables in data sections of their own, with a value and without, and a weak
// map: a later object of the same link may define it too.
#include "helpers.h"
#include "maps.h"

__u64 counter SEC(".bss.counters");
__u64 step SEC(".data.steps") = 3;
const volatile __u64 limit SEC(".rodata.limits") = 7;

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} shared __attribute__((weak)) SEC(".maps");

SEC("tc")
int count(void *ctx)
{
	__u32 first = 0;
	__u64 *sum = bpf_map_lookup_elem(&shared, &first);

	if (!sum || counter + step > limit)
		return 0;
	counter += step;
	*sum = counter;
	return counter;
}

char LICENSE[] SEC("license") = "GPL";
