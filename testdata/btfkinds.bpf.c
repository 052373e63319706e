// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Types of every kind that clang describes in BTF, in globals, maps and
// functions: the kernel takes an object's BTF whole or not at all.
#include "helpers.h"
#include "maps.h"
#include "net.h"

#define tagged __attribute__((btf_decl_tag("tbpf:tagged")))
#define marked __attribute__((btf_type_tag("tbpf_marked")))

enum small { SMALL = 7 };
enum signed_small { BELOW = -3, ABOVE = 3 };
enum wide { WIDE = 0x123456789abcULL };

struct declared_only;
typedef struct declared_only *handle;
typedef int (*operation)(int);

union either {
	__u64 whole;
	__u8 bytes[8];
	struct {
		__u32 low;
		__u32 high;
	};
};

struct everything {
	enum small small;
	enum signed_small negative;
	enum wide wide;
	unsigned int three_bits : 3;
	int minus : 5;
	union either either;
	handle nothing;
	operation nothing_to_call;
	int marked *marked_pointer;
	const char *volatile restrict_me;
	__u16 table[2][3];
	struct everything *next;
} tagged;

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 2);
	__type(key, enum wide);
	__type(value, struct everything);
} store SEC(".maps");

double real = 2.5; // programs cannot compute with it
enum wide chosen = WIDE;
volatile struct everything last tagged;
__u64 stored;

__noinline int pick(union either *from tagged)
{
	opaque(from);
	return from ? from->bytes[2] : -1;
}

SEC("xdp")
int use(struct xdp_md *ctx)
{
	struct everything value = { .small = SMALL, .negative = BELOW, .wide = chosen, .three_bits = 5, .minus = -2 };
	union either number = { .whole = 0x030201 };
	enum wide key = WIDE;

	value.either.low = pick(&number);
	bpf_map_update_elem(&store, &key, &value, ANY);
	last.wide = value.wide;
	stored = value.either.low;
	return XDP_PASS;
}

// Its parameter has no name, which the kernel does not take as it is.
#pragma clang diagnostic ignored "-Wc23-extensions"
SEC("xdp")
int unnamed(struct xdp_md *)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
