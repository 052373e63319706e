// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A program of each type that Linux 6.1 has: each does nothing but return what
// its type calls "go on".
#include "types.h"

#define PROGRAM(section, name, verdict) \
	SEC(section) int run_##name(void *ctx) \
	{ \
		return verdict; \
	}

PROGRAM("socket", socket_filter, 0)
PROGRAM("sk_reuseport", sk_reuseport, 1)
PROGRAM("sk_reuseport/migrate", sk_reuseport_migrate, 1)
PROGRAM("kprobe/__set_task_comm", kprobe, 0)
PROGRAM("kretprobe/__set_task_comm", kretprobe, 0)
PROGRAM("tc", classifier, 0)
PROGRAM("classifier", classifier_old_name, 0)
PROGRAM("action", action, 0)
PROGRAM("tracepoint/task/task_rename", tracepoint, 0)
PROGRAM("tp/task/task_newtask", tracepoint_short, 0)
PROGRAM("raw_tracepoint/task_rename", raw_tracepoint, 0)
PROGRAM("raw_tp/task_newtask", raw_tracepoint_short, 0)
PROGRAM("tp_btf/task_rename", tp_btf, 0)
PROGRAM("xdp", xdp, 2)
PROGRAM("xdp/devmap", xdp_devmap, 2)
PROGRAM("xdp/cpumap", xdp_cpumap, 2)
PROGRAM("xdp.frags/devmap", xdp_frags_devmap, 2)
PROGRAM("perf_event", perf_event, 0)
PROGRAM("lwt_in", lwt_in, 0)
PROGRAM("lwt_out", lwt_out, 0)
PROGRAM("lwt_xmit", lwt_xmit, 0)
PROGRAM("lwt_seg6local", lwt_seg6local, 0)
PROGRAM("sockops", sockops, 1)
PROGRAM("sk_skb", sk_skb, 1)
PROGRAM("sk_skb/stream_parser", sk_skb_parser, 1)
PROGRAM("sk_skb/stream_verdict", sk_skb_verdict, 1)
PROGRAM("sk_msg", sk_msg, 1)
PROGRAM("flow_dissector", flow_dissector, 0)
PROGRAM("cgroup/skb", cgroup_skb, 1)
PROGRAM("cgroup_skb/ingress", cgroup_skb_ingress, 1)
PROGRAM("cgroup_skb/egress", cgroup_skb_egress, 1)
PROGRAM("cgroup/sock_create", cgroup_sock_create, 1)
PROGRAM("cgroup/sock_release", cgroup_sock_release, 1)
PROGRAM("cgroup/sock", cgroup_sock, 1)
PROGRAM("cgroup/post_bind4", cgroup_post_bind4, 1)
PROGRAM("cgroup/post_bind6", cgroup_post_bind6, 1)
PROGRAM("cgroup/bind4", cgroup_bind4, 1)
PROGRAM("cgroup/bind6", cgroup_bind6, 1)
PROGRAM("cgroup/connect4", cgroup_connect4, 1)
PROGRAM("cgroup/connect6", cgroup_connect6, 1)
PROGRAM("cgroup/sendmsg4", cgroup_sendmsg4, 1)
PROGRAM("cgroup/sendmsg6", cgroup_sendmsg6, 1)
PROGRAM("cgroup/recvmsg4", cgroup_recvmsg4, 1)
PROGRAM("cgroup/recvmsg6", cgroup_recvmsg6, 1)
PROGRAM("cgroup/getpeername4", cgroup_getpeername4, 1)
PROGRAM("cgroup/getpeername6", cgroup_getpeername6, 1)
PROGRAM("cgroup/getsockname4", cgroup_getsockname4, 1)
PROGRAM("cgroup/getsockname6", cgroup_getsockname6, 1)
PROGRAM("cgroup/dev", cgroup_dev, 1)
PROGRAM("cgroup/sysctl", cgroup_sysctl, 1)
PROGRAM("cgroup/getsockopt", cgroup_getsockopt, 1)
PROGRAM("cgroup/setsockopt", cgroup_setsockopt, 1)
PROGRAM("sk_lookup", sk_lookup, 1)
PROGRAM("syscall", syscall, 0)

char LICENSE[] SEC("license") = "GPL";
