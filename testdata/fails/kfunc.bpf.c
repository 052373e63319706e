// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Calls a kernel function that exists nowhere.
#include "net.h"

extern int tbpf_no_such_kfunc(int x) __ksym;

SEC("tc")
int call(struct __sk_buff *skb)
{
	return tbpf_no_such_kfunc(0);
}

char LICENSE[] SEC("license") = "GPL";
