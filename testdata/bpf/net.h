/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Contexts of networking programs (user interface of linux/bpf.h, so their
 * layout is fixed) and the packet headers that the fixtures look at.
 */
#ifndef TBPF_NET_H
#define TBPF_NET_H

#include "types.h"

/* Verdicts: enum xdp_action; TC_ACT_*; cgroup programs return 0 or 1. */
enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };
enum { TC_OK = 0, TC_SHOT = 2, TCX_NEXT = -1 };
enum { CGROUP_REFUSE = 0, CGROUP_ALLOW = 1 };

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

/* The first members of the kernel's struct of this name, up to data_end. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port; /* network byte order */
	__u32 family;
	__u32 type;
	__u32 protocol;
};

struct ethhdr {
	__u8 destination[6];
	__u8 source[6];
	__be16 protocol;
} __attribute__((packed));

struct iphdr {
	__u8 version_and_length;
	__u8 service;
	__be16 total;
	__be16 id;
	__be16 fragment;
	__u8 hops;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct udphdr {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
};

#define ETH_IPV4 0x0800
#define IP_UDP 17

#endif
