// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Much of everything: 80 maps, 60 programs and 40 functions, of which no
// program uses more than the kernel allows. For measuring.
#include "helpers.h"
#include "maps.h"
#include "net.h"

#define TEN(macro, d) \
	macro(d##0) macro(d##1) macro(d##2) macro(d##3) macro(d##4) \
	macro(d##5) macro(d##6) macro(d##7) macro(d##8) macro(d##9)

#define MAP(n) \
	struct { \
		__uint(type, MAP_HASH); \
		__uint(max_entries, 16); \
		__type(key, __u32); \
		__type(value, __u64); \
	} map##n SEC(".maps");

#define FUNCTION(n) \
	static __noinline __u64 mix##n(__u64 x) \
	{ \
		opaque(x); \
		return (x ^ (x >> 7)) * (2 * n##ULL + 1); \
	}

#define PROGRAM(n) \
	SEC("xdp") int prog##n(struct xdp_md *ctx) \
	{ \
		__u32 key = n; \
		__u64 value = mix##n(ctx->data_end - ctx->data); \
		__u64 *known = bpf_map_lookup_elem(&map##n, &key); \
		if (known) \
			__sync_fetch_and_add(known, value); \
		else \
			bpf_map_update_elem(&map##n, &key, &value, ANY); \
		return XDP_PASS; \
	}

#define PROGRAM_OF_TWO(n) \
	SEC("xdp") int prog##n(struct xdp_md *ctx) \
	{ \
		__u32 key = n; \
		__u64 value = mix10(n) + mix20(n); \
		bpf_map_update_elem(&map##n, &key, &value, ANY); \
		bpf_map_update_elem(&map1##n, &key, &value, ANY); \
		return XDP_PASS; \
	}

TEN(MAP, 1) TEN(MAP, 2) TEN(MAP, 3) TEN(MAP, 4)
TEN(MAP, 5) TEN(MAP, 6)
TEN(MAP, 15) TEN(MAP, 16)

TEN(FUNCTION, 1) TEN(FUNCTION, 2) TEN(FUNCTION, 3) TEN(FUNCTION, 4)

TEN(PROGRAM, 1) TEN(PROGRAM, 2) TEN(PROGRAM, 3) TEN(PROGRAM, 4)
TEN(PROGRAM_OF_TWO, 5) TEN(PROGRAM_OF_TWO, 6)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
