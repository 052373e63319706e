// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// XDP for packets in several buffers: looks at the last byte of a packet, and
// counts packets that are longer than their first buffer.
#include "helpers.h"
#include "net.h"

__u64 packets;
__u64 in_pieces;
__u64 longest;
__u32 last_byte;

SEC("xdp.frags")
int measure(struct xdp_md *ctx)
{
	__u64 length = bpf_xdp_get_buff_len(ctx);
	__u8 last = 0;

	packets++;
	if (length > ctx->data_end - ctx->data)
		in_pieces++;
	if (length > longest)
		longest = length;
	if (length && !bpf_xdp_load_bytes(ctx, length - 1, &last, 1))
		last_byte = last;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
