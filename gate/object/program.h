/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be judged only when a program is verified: its tag, and the maps
 * that it uses. Whoever gets a descriptor of it first, its loader or another
 * that knows its id, comes by here (kernel/bpf/syscall.c, bpf_prog_new_fd).
 */
#ifndef GATE_PROGRAM_H
#define GATE_PROGRAM_H

#include "load.h"

static __always_inline void describe_program(struct request *r, struct bpf_prog *prog)
{
	r->command = CMD_PROG_LOAD;
	r->program_type = prog->type;
#pragma unroll
	for (int i = 0; i < 8; i++)
		r->tag |= (__u64)prog->tag[i] << (8 * i);
#pragma unroll
	for (int i = 0; i < GATE_NAME - 1; i++)
		r->name[i] = prog->aux->name[i];
}

/*
 * Kernels of the profile selfcheck-excl leave it to the loader program to look
 * at its map, and one of the profile selfcheck does not: another program could
 * write what it loads. 7.3 has no such member and looks itself.
 */
static __always_inline bool maps_are_its_own(struct bpf_prog *prog)
{
	struct bpf_map **maps = prog->aux->used_maps;
	__u32 n = prog->aux->used_map_cnt;

	for (__u32 i = 0; i < 64; i++) {
		struct bpf_map *map;

		if (i >= n)
			break;
		map = bpf_rdonly_cast((void *)*(__u64 *)bpf_rdonly_cast(maps + i, 0), core_type_id_kernel(struct bpf_map));
		if (!map->excl || !map->frozen)
			return false;
	}
	return true;
}

SEC("lsm/bpf_prog")
int gate_program(__u64 *ctx)
{
	struct bpf_prog *prog = (void *)ctx[0];
	struct gate_config *c = gate_on();
	struct gate_program *known;
	struct gate_listed key = {};
	struct request r = {};
	__u64 aux = (__u64)prog->aux;
	__u32 *entry;

	if (!c)
		return 0;
	known = bpf_map_lookup_elem(&gate_programs, &aux);
	if (!known)
		return 0;
	if (known->state == GATE_PROGRAM_TAGGED) {
		describe_program(&r, prog);
		key.exe = known->exe;
		*(__u64 *)key.tag = r.tag;
		r.entry = known->entry;
		entry = bpf_map_lookup_elem(&gate_allow, &key);
		if (!entry)
			return refuse(c, &r, GATE_TAG, true);
		r.entry = *entry;
		bpf_map_delete_elem(&gate_programs, &aux);
		return pass(c, &r, GATE_LISTED);
	}
	if (core_field_exists(((struct bpf_map *)0)->excl) && !maps_are_its_own(prog)) {
		describe_program(&r, prog);
		r.verdict = 1;
		return refuse(c, &r, GATE_MAP, true);
	}
	return 0;
}

#endif
