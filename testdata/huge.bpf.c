// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// So many maps and programs that the loader program has more instructions than
// one jump can span.
#include "helpers.h"
#include "maps.h"
#include "net.h"

#define TEN(macro, d) \
	macro(d##0) macro(d##1) macro(d##2) macro(d##3) macro(d##4) \
	macro(d##5) macro(d##6) macro(d##7) macro(d##8) macro(d##9)

#define HUNDRED(macro, d) \
	TEN(macro, d##0) TEN(macro, d##1) TEN(macro, d##2) TEN(macro, d##3) TEN(macro, d##4) \
	TEN(macro, d##5) TEN(macro, d##6) TEN(macro, d##7) TEN(macro, d##8) TEN(macro, d##9)

#define MAP(n) \
	struct { \
		__uint(type, MAP_ARRAY); \
		__uint(max_entries, 1); \
		__type(key, __u32); \
		__type(value, __u64); \
	} m##n SEC(".maps");

#define PROGRAM(n) \
	SEC("xdp") int p##n(struct xdp_md *ctx) \
	{ \
		__u32 key = 0; \
		__u64 *count = bpf_map_lookup_elem(&m##n, &key); \
		if (count) \
			*count += n; \
		return XDP_PASS; \
	}

HUNDRED(MAP, 1) HUNDRED(MAP, 2) HUNDRED(MAP, 3) HUNDRED(MAP, 4)
HUNDRED(PROGRAM, 1) HUNDRED(PROGRAM, 2) HUNDRED(PROGRAM, 3) HUNDRED(PROGRAM, 4)

char LICENSE[] SEC("license") = "GPL";
