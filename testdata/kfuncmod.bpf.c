// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Kernel functions of a module: asks nf_conntrack for a connection that does
// not exist. The module must be there when this is loaded.
#include "core.h"
#include "net.h"

struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

struct ipv4_tuple {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

struct bpf_sock_tuple {
	struct ipv4_tuple ipv4;
};

struct nf_conn {
	unsigned long status;
} __relocate;

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple__sz,
					 struct bpf_ct_opts *options, __u32 options__sz) __ksym;
extern void bpf_ct_release(struct nf_conn *connection) __ksym;

__u64 known;
__u64 unknown;
__s32 error; // -2, ENOENT

SEC("tc")
int look(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {
		.ipv4 = { .saddr = htonl(0x7f000001), .daddr = htonl(0x7f000001), .sport = htons(1), .dport = htons(1) },
	};
	struct bpf_ct_opts options = { .netns_id = -1, .l4proto = IP_UDP };
	struct nf_conn *connection;

	connection = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	if (connection) {
		known++;
		bpf_ct_release(connection);
		return TC_OK;
	}
	unknown++;
	error = options.error;
	return TC_OK;
}

char LICENSE[] SEC("license") = "GPL";
