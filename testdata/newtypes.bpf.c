// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs of the kinds that came after Linux 6.1, and of those that are only
// loaded because something of user space has to be there first.
#include "types.h"

#define PROGRAM(section, name, verdict) \
	SEC(section) int run_##name(void *ctx) \
	{ \
		return verdict; \
	}

PROGRAM("tc/ingress", tc_ingress, 0)
PROGRAM("tcx/egress", tcx_egress, 0)
PROGRAM("netkit/primary", netkit_primary, 0)
PROGRAM("netkit/peer", netkit_peer, 0)
PROGRAM("netfilter", netfilter, 1)
PROGRAM("cgroup/connect_unix", cgroup_connect_unix, 1)
PROGRAM("cgroup/sendmsg_unix", cgroup_sendmsg_unix, 1)
PROGRAM("cgroup/recvmsg_unix", cgroup_recvmsg_unix, 1)
PROGRAM("cgroup/getpeername_unix", cgroup_getpeername_unix, 1)
PROGRAM("cgroup/getsockname_unix", cgroup_getsockname_unix, 1)
PROGRAM("lsm_cgroup/socket_bind", lsm_cgroup, 1)
PROGRAM("sk_skb/verdict", sk_skb_verdict, 1)
PROGRAM("kprobe.multi", kprobe_multi, 0)
PROGRAM("kretprobe.multi", kretprobe_multi, 0)
PROGRAM("kprobe.session", kprobe_session, 0)
PROGRAM("uprobe.multi", uprobe_multi, 0)
PROGRAM("uprobe.multi.s", uprobe_multi_sleepable, 0)
PROGRAM("uretprobe.multi.s", uretprobe_multi_sleepable, 0)
PROGRAM("ksyscall", ksyscall, 0)
PROGRAM("kretsyscall", kretsyscall, 0)
PROGRAM("usdt", usdt, 0)
PROGRAM("usdt.s//bin/tbpf:tbpf:place", usdt_place, 0)
PROGRAM("iter/bpf_map_elem", iter_map, 0)
PROGRAM("iter/cgroup", iter_cgroup, 0)
PROGRAM("iter.s/task", iter_task, 0)
PROGRAM("syscall", syscall, 0)

char LICENSE[] SEC("license") = "GPL";
