// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A netfilter hook. The object says nothing of protocol family, hook and
// priority, so it is loaded and left unattached.
#include "types.h"

enum { NF_DROP, NF_ACCEPT };

SEC("netfilter")
int accept_all(void *ctx)
{
	return NF_ACCEPT;
}

char LICENSE[] SEC("license") = "GPL";
