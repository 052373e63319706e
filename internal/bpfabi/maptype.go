package bpfabi

// MapType is the kernel's number of a map type. Where the kernel has two names
// for one number (cgroup_storage and cgroup_storage_deprecated), String and
// ParseMapType use the older one, which every kernel with tokens takes.
type MapType uint32

// The map types of Linux 7.3 (include/uapi/linux/bpf.h, enum bpf_map_type).
const (
	MapUnspec              MapType = 0
	MapHash                MapType = 1
	MapArray               MapType = 2
	MapProgArray           MapType = 3
	MapPerfEventArray      MapType = 4
	MapPerCPUHash          MapType = 5
	MapPerCPUArray         MapType = 6
	MapStackTrace          MapType = 7
	MapCgroupArray         MapType = 8
	MapLRUHash             MapType = 9
	MapLRUPerCPUHash       MapType = 10
	MapLPMTrie             MapType = 11
	MapArrayOfMaps         MapType = 12
	MapHashOfMaps          MapType = 13
	MapDevMap              MapType = 14
	MapSockMap             MapType = 15
	MapCPUMap              MapType = 16
	MapXSKMap              MapType = 17
	MapSockHash            MapType = 18
	MapCgroupStorage       MapType = 19
	MapReuseportSockArray  MapType = 20
	MapPerCPUCgroupStorage MapType = 21
	MapQueue               MapType = 22
	MapStack               MapType = 23
	MapSkStorage           MapType = 24
	MapDevMapHash          MapType = 25
	MapStructOps           MapType = 26
	MapRingBuf             MapType = 27
	MapInodeStorage        MapType = 28
	MapTaskStorage         MapType = 29
	MapBloomFilter         MapType = 30
	MapUserRingBuf         MapType = 31
	MapCgrpStorage         MapType = 32
	MapArena               MapType = 33
	MapInstructionArray    MapType = 34
	MapRHash               MapType = 35
)

// String returns the kernel's name of the map type, or "map type(N)" for a number
// that Linux 7.3 does not have.
func (t MapType) String() string { return nameOf(mapTypeTable[:], "map type", uint32(t)) }

// ParseMapType is the inverse of String for the names that Linux 7.3 has. It knows
// no other spelling.
func ParseMapType(name string) (MapType, error) {
	n, err := numberOf(mapTypeTable[:], "map type", name)
	return MapType(n), err
}

// mapTypeTable has the names by number.
var mapTypeTable = [...]string{
	MapUnspec:              "unspec",
	MapHash:                "hash",
	MapArray:               "array",
	MapProgArray:           "prog_array",
	MapPerfEventArray:      "perf_event_array",
	MapPerCPUHash:          "percpu_hash",
	MapPerCPUArray:         "percpu_array",
	MapStackTrace:          "stack_trace",
	MapCgroupArray:         "cgroup_array",
	MapLRUHash:             "lru_hash",
	MapLRUPerCPUHash:       "lru_percpu_hash",
	MapLPMTrie:             "lpm_trie",
	MapArrayOfMaps:         "array_of_maps",
	MapHashOfMaps:          "hash_of_maps",
	MapDevMap:              "devmap",
	MapSockMap:             "sockmap",
	MapCPUMap:              "cpumap",
	MapXSKMap:              "xskmap",
	MapSockHash:            "sockhash",
	MapCgroupStorage:       "cgroup_storage",
	MapReuseportSockArray:  "reuseport_sockarray",
	MapPerCPUCgroupStorage: "percpu_cgroup_storage",
	MapQueue:               "queue",
	MapStack:               "stack",
	MapSkStorage:           "sk_storage",
	MapDevMapHash:          "devmap_hash",
	MapStructOps:           "struct_ops",
	MapRingBuf:             "ringbuf",
	MapInodeStorage:        "inode_storage",
	MapTaskStorage:         "task_storage",
	MapBloomFilter:         "bloom_filter",
	MapUserRingBuf:         "user_ringbuf",
	MapCgrpStorage:         "cgrp_storage",
	MapArena:               "arena",
	MapInstructionArray:    "insn_array",
	MapRHash:               "rhash",
}
