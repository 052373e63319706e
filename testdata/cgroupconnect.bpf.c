// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Refuses connections from one cgroup to port 7780 over IPv4 with EPERM.
#include "net.h"

__u64 allowed;
__u64 refused;

SEC("cgroup/connect4")
int check_connect(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port != htons(7780)) {
		__sync_fetch_and_add(&allowed, 1);
		return CGROUP_ALLOW;
	}
	__sync_fetch_and_add(&refused, 1);
	return CGROUP_REFUSE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
