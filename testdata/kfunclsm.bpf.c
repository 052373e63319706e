// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The oldest kfuncs (6.1) in a sleepable LSM program: a reference to a system
// keyring is taken and given back at each bpf system call.
#include "core.h"
#include "types.h"

struct bpf_key {
	bool has_ref;
} __relocate;

extern struct bpf_key *bpf_lookup_system_key(__u64 id) __ksym;
extern void bpf_key_put(struct bpf_key *key) __ksym;

__u64 found;
__u64 absent;

SEC("lsm.s/bpf")
int look(__u64 *ctx)
{
	struct bpf_key *key = bpf_lookup_system_key(1); // the secondary keyring

	if (!key) {
		__sync_fetch_and_add(&absent, 1);
		return 0;
	}
	__sync_fetch_and_add(&found, 1);
	bpf_key_put(key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
