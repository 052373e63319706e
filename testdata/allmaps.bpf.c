// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A map of every type that Linux 6.1 has and that needs nothing outside its
// object. Some carry key and value types that the kernel refuses for their
// kind of map; a loader leaves those types out.
#include "helpers.h"
#include "maps.h"
#include "net.h"

#define KEYED(name, kind, entries, key_type, value_type) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

#define SIZED(name, kind, entries, key_bytes, value_bytes) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, entries); \
		__uint(key_size, key_bytes); \
		__uint(value_size, value_bytes); \
	} name SEC(".maps")

#define LOCAL(name, kind) \
	struct { \
		__uint(type, kind); \
		__uint(map_flags, F_NO_PREALLOC); \
		__type(key, int); \
		__type(value, __u64); \
	} name SEC(".maps")

struct prefix {
	__u32 bits;
	__u8 address[4];
};

KEYED(hash, MAP_HASH, 16, __u32, __u64);
KEYED(array, MAP_ARRAY, 4, __u32, __u64);
SIZED(prog_array, MAP_PROG_ARRAY, 2, 4, 4);
KEYED(perf_event_array, MAP_PERF_EVENT_ARRAY, 8, __u32, __u32);
KEYED(percpu_hash, MAP_PERCPU_HASH, 16, __u32, __u64);
KEYED(percpu_array, MAP_PERCPU_ARRAY, 4, __u32, __u64);
SIZED(stack_trace, MAP_STACK_TRACE, 16, 4, 8 * 32);
KEYED(cgroup_array, MAP_CGROUP_ARRAY, 2, __u32, __u32);
KEYED(lru_hash, MAP_LRU_HASH, 16, __u32, __u64);
KEYED(lru_percpu_hash, MAP_LRU_PERCPU_HASH, 16, __u32, __u64);
KEYED(devmap, MAP_DEVMAP, 4, __u32, __u32);
KEYED(devmap_hash, MAP_DEVMAP_HASH, 4, __u32, __u32);
KEYED(sockmap, MAP_SOCKMAP, 4, __u32, __u32);
KEYED(sockhash, MAP_SOCKHASH, 4, __u32, __u32);
KEYED(cpumap, MAP_CPUMAP, 1, __u32, __u32);
KEYED(xskmap, MAP_XSKMAP, 4, __u32, __u32);
KEYED(reuseport_sockarray, MAP_REUSEPORT_SOCKARRAY, 4, __u32, __u64);
SIZED(queue, MAP_QUEUE, 8, 0, 8);
SIZED(stack, MAP_STACK, 8, 0, 8);
LOCAL(sk_storage, MAP_SK_STORAGE);
LOCAL(inode_storage, MAP_INODE_STORAGE);
LOCAL(task_storage, MAP_TASK_STORAGE);

struct {
	__uint(type, MAP_LPM_TRIE);
	__uint(max_entries, 16);
	__uint(map_flags, F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} lpm_trie SEC(".maps");

struct {
	__uint(type, MAP_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u64);
} cgroup_storage SEC(".maps");

struct {
	__uint(type, MAP_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u64);
} percpu_cgroup_storage SEC(".maps");

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 4096);
} ringbuf SEC(".maps");

struct {
	__uint(type, MAP_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ringbuf SEC(".maps");

// Five hash functions instead of the kernel's default.
struct {
	__uint(type, MAP_BLOOM_FILTER);
	__uint(max_entries, 64);
	__uint(value_size, 4);
	__uint(map_extra, 5);
} bloom_filter SEC(".maps");

// An array that programs may only read and user space may map.
struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 2);
	__uint(map_flags, F_MMAPABLE | F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u64);
} read_only SEC(".maps");

struct inner {
	__uint(type, MAP_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} inner SEC(".maps");

struct {
	__uint(type, MAP_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} array_of_maps SEC(".maps") = { .values = { [1] = &inner } };

struct {
	__uint(type, MAP_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} hash_of_maps SEC(".maps") = { .values = { [1] = &inner } };

__u64 worked; // how many of the maps below took a value

#define STORE(map, key_type) \
	do { \
		key_type key = {}; \
		__u64 value = 1; \
		worked += !bpf_map_update_elem(&map, &key, &value, ANY); \
	} while (0)

SEC("xdp")
int use(struct xdp_md *ctx)
{
	__u64 value = 1;

	worked = 0;
	STORE(hash, __u32);
	STORE(array, __u32);
	STORE(percpu_hash, __u32);
	STORE(percpu_array, __u32);
	STORE(lru_hash, __u32);
	STORE(lru_percpu_hash, __u32);
	STORE(lpm_trie, struct prefix);
	worked += !bpf_map_push_elem(&queue, &value, 0);
	worked += !bpf_map_push_elem(&stack, &value, 0);
	worked += !bpf_map_push_elem(&bloom_filter, &value, 0);
	worked += !bpf_ringbuf_output(&ringbuf, &value, sizeof(value), 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
