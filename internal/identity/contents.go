//go:build linux

package identity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// contents are a map's values by key, as bytes. An array's values that are zero are left
// out. ids are what the values of maps of maps and of programs stand for.
func contents(fd int, m *mapInfo, ids *names) (map[string]string, error) {
	switch ebpf.MapType(m.typ) {
	case ebpf.Array:
		return arrayValues(fd, m, int(m.valueSize))
	case ebpf.PerCPUArray:
		cpus, err := ebpf.PossibleCPU()
		if err != nil {
			return nil, err
		}
		return arrayValues(fd, m, cpus*int((m.valueSize+valueAlignment-1)&^(valueAlignment-1)))
	case ebpf.Hash, ebpf.LRUHash, ebpf.LPMTrie:
		return walk(fd, m, int(m.valueSize), func(b []byte) (string, error) { return string(b), nil })
	case ebpf.PerCPUHash, ebpf.LRUCPUHash:
		cpus, err := ebpf.PossibleCPU()
		if err != nil {
			return nil, err
		}
		return walk(fd, m, cpus*int((m.valueSize+valueAlignment-1)&^(valueAlignment-1)), func(b []byte) (string, error) { return string(b), nil })
	case ebpf.ProgramArray:
		return walk(fd, m, 4, func(b []byte) (string, error) { return ids.program(binary.NativeEndian.Uint32(b)) })
	case ebpf.ArrayOfMaps, ebpf.HashOfMaps:
		return walk(fd, m, 4, func(b []byte) (string, error) { return ids.mapName(binary.NativeEndian.Uint32(b)) })
	case ebpf.StructOpsMap:
		return operations(fd, m, ids)
	case ebpf.PerfEventArray, ebpf.CGroupArray, ebpf.StackTrace, ebpf.DevMap, ebpf.DevMapHash, ebpf.CPUMap, ebpf.XSKMap,
		ebpf.SockMap, ebpf.SockHash, ebpf.ReusePortSockArray, ebpf.CGroupStorage, ebpf.PerCPUCGroupStorage, ebpf.SkStorage,
		ebpf.InodeStorage, ebpf.TaskStorage, ebpf.CgroupStorage, ebpf.Queue, ebpf.Stack, ebpf.BloomFilter, ebpf.RingBuf, ebpf.UserRingbuf, ebpf.Arena:
		return nil, nil // an object cannot give them contents
	default:
		return nil, fmt.Errorf("contents of maps of type %d are not known", m.typ)
	}
}

// arrayValues reads an array in large pieces.
func arrayValues(fd int, m *mapInfo, size int) (map[string]string, error) {
	const piece = 1 << 20
	found := make(map[string]string)
	step := max(1, piece/size)
	values, keys := make([]byte, step*size), make([]byte, step*4)
	in, out := make([]byte, 4), make([]byte, 4)
	zero := make([]byte, size)
	for first := true; ; first = false {
		a := newAttributes(56)
		if !first {
			a.point(0, in)
		}
		a.point(8, out)
		a.point(16, keys)
		a.point(24, values)
		a.put32(32, uint32(step))
		a.put32(36, uint32(fd))
		err := a.call(commandLookupBatch)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("read its values: %w", err)
		}
		for i := range int(a.get32(32)) {
			if v := values[i*size:][:size]; !bytes.Equal(v, zero) {
				found[string(keys[4*i:][:4])] = string(v)
			}
		}
		if err != nil {
			return found, nil
		}
		copy(in, out)
	}
}

// walk reads a map key by key.
func walk(fd int, m *mapInfo, size int, say func([]byte) (string, error)) (map[string]string, error) {
	found := make(map[string]string)
	var key []byte
	for {
		next, value := make([]byte, m.keySize), make([]byte, size)
		a := newAttributes(32)
		a.put32(0, uint32(fd))
		a.point(8, key)
		a.point(16, next)
		if err := a.call(commandNextKey); errors.Is(err, unix.ENOENT) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("walk over its keys: %w", err)
		}
		key = next
		if err := lookup(fd, key, value); errors.Is(err, unix.ENOENT) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read its values: %w", err)
		}
		what, err := say(value)
		if err != nil {
			return nil, err
		}
		found[string(key)] = what
	}
}

func lookup(fd int, key, value []byte) error {
	a := newAttributes(32)
	a.put32(0, uint32(fd))
	a.point(8, key)
	a.point(16, value)
	return a.call(commandLookup)
}

// operations are the words of a struct_ops map's value, with the names of
// programs where their ids stand. A map that the kernel does not use yet shows none.
func operations(fd int, m *mapInfo, ids *names) (map[string]string, error) {
	const state = 4 // behind the counter of references
	value := make([]byte, m.valueSize)
	if err := lookup(fd, make([]byte, 4), value); err != nil {
		return nil, fmt.Errorf("read its value: %w", err)
	}
	if binary.NativeEndian.Uint32(value[state:]) == 0 {
		return nil, nil
	}
	found := make(map[string]string)
	for at := 8; at+8 <= len(value); at += 8 {
		word := binary.NativeEndian.Uint64(value[at:])
		if word == 0 {
			continue
		}
		what := fmt.Sprintf("%#x", word)
		if name, err := ids.program(uint32(word)); err == nil && word <= 1<<32-1 {
			what = name
		}
		found[fmt.Sprintf("byte %d", at)] = what
	}
	return found, nil
}
