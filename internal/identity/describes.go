//go:build linux

package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Describes says where a load differs from what its manifest says of it.
func Describes(m *manifest.Manifest, o *Object) []string {
	var d differences
	for i := range m.Programs {
		said := &m.Programs[i]
		d.begin(fmt.Sprintf("program %q", said.Name))
		p := o.Programs[said.Name]
		if p == nil {
			if !said.Optional {
				d.add("it was not loaded")
			}
			continue
		}
		differ(&d, "type", said.Type, bpfabi.ProgramType(p.Type).String())
		differ(&d, "name", said.KernelName, p.Name)
		if unused := slices.DeleteFunc(slices.Clone(p.Maps), func(name string) bool { return slices.Contains(said.Maps, name) }); len(unused) > 0 {
			d.add("it uses the maps %q, which are not listed", unused)
		}
		if p.state == nil {
			continue
		}
		attach := bpfabi.AttachType(p.state.expectedAttach).String()
		switch {
		case ebpf.ProgramType(p.Type) == ebpf.StructOps:
			// The member's place, which is the running kernel's.
		case said.AttachType != "" || p.state.expectedAttach != 0:
			differ(&d, "expected attach type", said.AttachType, attach)
		}
		differ(&d, "sleepable", slices.Contains(said.Flags, "sleepable"), p.state.sleepable)
		differ(&d, "takes fragments", slices.Contains(said.Flags, "xdp-has-frags"), p.state.fragments)
	}
	for i := range m.Maps {
		said := &m.Maps[i]
		d.begin(fmt.Sprintf("map %q", said.Name))
		have := o.Maps[said.Name]
		if have == nil {
			d.add("it was not created")
			continue
		}
		if said.StructOps != nil {
			continue // its sizes are the running kernel's
		}
		differ(&d, "type", said.Type, bpfabi.MapType(have.Type).String())
		differ(&d, "name", said.KernelName, have.Name)
		differ(&d, "key size", said.KeySize, have.KeySize)
		differ(&d, "value size", said.ValueSize, have.ValueSize)
		flags := said.Flags
		if t := ebpf.MapType(have.Type); t == ebpf.DevMap || t == ebpf.DevMapHash {
			flags |= bpfabi.MapFlagReadOnlyProgram // set by the kernel (kernel/bpf/devmap.c, dev_map_alloc_check)
		}
		differ(&d, "flags", flags, have.Flags)
		differ(&d, "extra", said.Extra, have.Extra)
		differ(&d, "frozen", said.Frozen, have.Frozen)
		if !said.PerCPU {
			differ(&d, "number of entries", said.MaxEntries, have.MaxEntries)
		}
		if said.Frozen && ebpf.MapType(have.Type) == ebpf.Array && strings.HasPrefix(said.Name, ".") {
			value := make([]byte, said.ValueSize)
			copy(value, have.Contents["\x00\x00\x00\x00"])
			unanswer(value, said, m.Tunables)
			sum := sha256.Sum256(value)
			zeroes := bytes.Count(value, []byte{0}) == len(value)
			if said.Contents == nil && !zeroes || said.Contents != nil && hex.EncodeToString(sum[:]) != said.Contents.SHA256 {
				d.add("its contents are not those that the manifest has")
			}
		}
	}
	return d.list
}

// unanswer makes a data section again what it was before the loader put in what
// its program asks about the kernel: as it was signed, these places are zero.
func unanswer(value []byte, m *manifest.Map, inputs []manifest.Tunable) {
	for i := range inputs {
		in := &inputs[i]
		if in.Source == manifest.SourceKconfig && in.Map == m.Name && int(in.Offset+in.Size) <= len(value) {
			clear(value[in.Offset:][:in.Size])
		}
	}
}
