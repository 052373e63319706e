/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Map definitions. A map is a variable in the section ".maps" whose type says,
 * member by member, what the map is: a number is the bound of an array type,
 * a type is the target of a pointer. That encoding is what every BPF loader
 * reads from BTF.
 */
#ifndef TBPF_MAPS_H
#define TBPF_MAPS_H

#include "types.h"

#define __uint(name, number) int(*name)[number]
#define __type(name, c_type) typeof(c_type) *name
#define __array(name, c_type) typeof(c_type) *name[]

/* Map types, enum bpf_map_type of linux/bpf.h. */
enum map_type {
	MAP_HASH = 1,
	MAP_ARRAY = 2,
	MAP_PROG_ARRAY = 3,
	MAP_PERF_EVENT_ARRAY = 4,
	MAP_PERCPU_HASH = 5,
	MAP_PERCPU_ARRAY = 6,
	MAP_STACK_TRACE = 7,
	MAP_CGROUP_ARRAY = 8,
	MAP_LRU_HASH = 9,
	MAP_LRU_PERCPU_HASH = 10,
	MAP_LPM_TRIE = 11,
	MAP_ARRAY_OF_MAPS = 12,
	MAP_HASH_OF_MAPS = 13,
	MAP_DEVMAP = 14,
	MAP_SOCKMAP = 15,
	MAP_CPUMAP = 16,
	MAP_XSKMAP = 17,
	MAP_SOCKHASH = 18,
	MAP_CGROUP_STORAGE = 19,
	MAP_REUSEPORT_SOCKARRAY = 20,
	MAP_PERCPU_CGROUP_STORAGE = 21,
	MAP_QUEUE = 22,
	MAP_STACK = 23,
	MAP_SK_STORAGE = 24,
	MAP_DEVMAP_HASH = 25,
	MAP_STRUCT_OPS = 26,
	MAP_RINGBUF = 27,
	MAP_INODE_STORAGE = 28,
	MAP_TASK_STORAGE = 29,
	MAP_BLOOM_FILTER = 30,
	MAP_USER_RINGBUF = 31,
	MAP_CGRP_STORAGE = 32,
	MAP_ARENA = 33,
};

/* Map flags, linux/bpf.h. */
#define F_NO_PREALLOC (1U << 0)
#define F_RDONLY_PROG (1U << 7)
#define F_MMAPABLE (1U << 10)

/* Update flags, linux/bpf.h. */
#define ANY 0
#define NOEXIST 1

/* For perf event output: the buffer of the CPU that runs the program. */
#define CURRENT_CPU 0xffffffffULL

#endif
