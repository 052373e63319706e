// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Global variables in sections of their own, in static variables and in string
// literals: each section is a map.
#include "types.h"

const volatile __u64 plain = 1;
const volatile __u64 extra SEC(".rodata.extra") = 20;
__u64 more SEC(".data.more") = 300;
static __u64 hidden_zero SEC(".data.hidden") = 0;
static volatile __u64 hidden_four = 4000;
__u64 sum;    // 4321 after the first run
__u32 letter; // 't'

static const char *volatile unused_pointer_is_zero;

static __noinline __u32 letter_at(__u32 index)
{
	const char *text = "tbpf";

	opaque(index);
	return index < 4 ? text[index] : 0;
}

SEC("syscall")
int add(void *ctx)
{
	sum = plain + extra + more + hidden_four + hidden_zero;
	hidden_zero++;
	more += hidden_zero & 1;
	letter = letter_at(0);
	if (unused_pointer_is_zero)
		return 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
