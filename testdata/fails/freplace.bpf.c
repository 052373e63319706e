// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Replaces a function of another program, which is named only when it is
// loaded.
#include "types.h"

SEC("freplace/plus_three")
int plus_four(int x)
{
	opaque(x);
	return x + 4;
}

char LICENSE[] SEC("license") = "GPL";
