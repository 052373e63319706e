// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Chooses sockets for incoming connections of a network namespace: counts, and
// lets the kernel choose.
#include "types.h"

enum { SK_DROP, SK_PASS };

__u64 lookups;

SEC("sk_lookup")
int choose(void *ctx)
{
	__sync_fetch_and_add(&lookups, 1);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
