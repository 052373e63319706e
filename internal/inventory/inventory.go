// Package inventory lists every BPF program, map and link of the machine and
// says which of them are of objects that tbpf loaded.
//
// It guarantees that nothing is said to be an object's because a record says
// so: an object is what is pinned in a directory that tbpf made, asked of the
// kernel just now, and its record counts only if everything in it (ids, tags,
// load times, pins, the boot) is what the kernel has. What is held by no pin, only
// by a process, is nobody's here.
//
// cmd/tbpf imports it. It must not import sign, keys/signer, cobra or sigstore.
package inventory

import (
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/loader"
)

// Machine is everything of BPF on a machine.
type Machine struct {
	Objects []Object
	// Complete: the three lists are there. Without CAP_SYS_ADMIN the kernel
	// does not give them.
	Complete bool
	Programs []Program // in the order of their ids, as maps and links are
	Maps     []Map
	Links    []Link
	Notices  []string // what does not fit; not escaped
}

// Object is an object that is pinned.
type Object struct {
	loader.Report
	Directory string // that holds its pins
	// Record is what the trusted loader wrote down of it, nil if it did not
	// load it, or if the record does not fit the kernel.
	Record *record.Object
}

// Program is a program of the machine.
type Program struct {
	ID       uint32
	Type     string
	Name     string // the kernel's, at most 15 bytes
	Tag      string // hex
	LoadTime uint64 // ns since boot
	MapIDs   []uint32
	Object   string // whose it is; empty: nobody's
}

// Map is a map of the machine.
type Map struct {
	ID     uint32
	Type   string
	Name   string
	Object string
}

// Link is a link of the machine.
type Link struct {
	ID        uint32
	Type      string
	ProgramID uint32
	Object    string
}

// attribute says whose each program, map and link is.
func (m *Machine) attribute() {
	for _, o := range m.Objects {
		for _, p := range o.Programs {
			// A program that was replaced under its number since would have
			// another tag or load time.
			if i := slices.IndexFunc(m.Programs, func(k Program) bool { return k.ID == p.ID && k.Tag == p.Tag && k.LoadTime == p.LoadTime }); i >= 0 {
				m.Programs[i].Object = o.Name
			}
		}
		for j, x := range o.Maps {
			if i := slices.IndexFunc(m.Maps, func(k Map) bool { return k.ID == x.ID && k.Type == x.Type }); i >= 0 {
				m.Maps[i].Object = o.Name
				o.Maps[j].Name = mapName(x.Name, m.Maps[i].Name)
			}
		}
		for _, l := range o.Links {
			if i := slices.IndexFunc(m.Links, func(k Link) bool { return k.ID == l.ID && k.ProgramID == l.ProgramID && k.Type == l.Type }); i >= 0 {
				m.Links[i].Object = o.Name
			}
		}
	}
}

// mapName is the name of a map in its object, by the names of its pin, which has
// no dots, and of the kernel, which has the object's name before that of a
// section: _bss and guard.bss are .bss.
func mapName(pin, kernel string) string {
	if i := strings.IndexByte(kernel, '.'); i >= 0 {
		if name, err := loader.PinName(kernel[i:]); err == nil && name == pin {
			return kernel[i:]
		}
	}
	return pin
}
