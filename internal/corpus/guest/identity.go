//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/corpus"
	"github.com/trustedbpf/tbpf/internal/identity"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// comparison holds what the bare load of an object put into the kernel against
// what the sealed load did.
type comparison struct {
	symbols      *identity.Symbols
	bare, sealed *identity.Object
	manifest     *manifest.Manifest
	written      map[string]bool // maps that a program which was attached uses
	found        corpus.Identity
}

func (c *comparison) differs(format string, args ...any) {
	c.found.Differs = append(c.found.Differs, fmt.Sprintf(format, args...))
}

// readBare leaves out an object with __kconfig variables: cilium/ebpf arranges
// them in a way of its own, which libbpf and sign do not share.
func (c *comparison) readBare(spec *ebpf.CollectionSpec, coll *ebpf.Collection) {
	var answers *btf.Datasec
	if spec.Types != nil && spec.Types.TypeByName(manifest.KconfigMap, &answers) == nil {
		return
	}
	d := identity.Descriptors{Programs: make(map[string]int), Maps: make(map[string]int)}
	for name, p := range coll.Programs {
		d.Programs[name] = p.FD()
	}
	for name, m := range coll.Maps {
		d.Maps[name] = m.FD()
	}
	var err error
	if c.bare, err = identity.Read(d, true); err != nil {
		c.differs("the bare load: %v", err)
	}
}

func (c *comparison) readSealed(verified *verify.Verified, loaded *loader.Loaded) {
	c.manifest = verified.Manifest()
	c.written = make(map[string]bool)
	d := identity.Descriptors{Programs: make(map[string]int), Maps: make(map[string]int)}
	report := loaded.Report()
	for i := range c.manifest.Programs {
		name := c.manifest.Programs[i].Name
		if fd := loaded.ProgramFD(name); fd >= 0 {
			d.Programs[name] = fd
		}
		if report.Programs[i].Attached == "" {
			continue
		}
		for _, m := range c.manifest.Programs[i].Maps {
			c.written[m] = true
		}
	}
	for i := range c.manifest.Maps {
		m := &c.manifest.Maps[i]
		d.Maps[m.Name] = loaded.MapFD(m.Name)
		if m.Frozen {
			delete(c.written, m.Name) // nobody writes to it
		}
	}
	var err error
	if c.sealed, err = identity.Read(d, true); err != nil {
		c.differs("the sealed load: %v", err)
		return
	}
	for _, what := range identity.Describes(c.manifest, c.sealed) {
		c.differs("the manifest: %s", what)
	}
	c.checkTags(verified)
}

// checkTags wants of every program the tag of the instructions that were
// signed.
func (c *comparison) checkTags(verified *verify.Verified) {
	given, err := identity.Given(c.manifest, verified.Metadata())
	if err != nil {
		c.differs("%v", err)
		return
	}
	object, err := identity.ReadSource(verified.Object())
	if err != nil {
		c.differs("%v", err)
		return
	}
	for name, p := range c.sealed.Programs {
		switch err := identity.CheckTag(p.Tag, given[name], name, object, c.symbols); {
		case errors.Is(err, identity.ErrUnknown):
			c.found.Unknown = append(c.found.Unknown, fmt.Sprintf("program %q: %v", name, err))
			if c.bare == nil {
				c.found.Unproven = append(c.found.Unproven, name)
			}
		case err != nil:
			c.differs("program %q: %v", name, err)
		default:
			c.found.Given++
			p.Given = true
		}
	}
}

// answer compares, if both are there.
func (c *comparison) answer() corpus.Identity {
	if c.bare == nil || c.sealed == nil {
		return c.found
	}
	list := identity.Compare(c.bare, c.sealed, c.symbols, c.written)
	c.found.Differs = append(c.found.Differs, list...)
	c.found.Compared, c.found.Maps = len(c.bare.Programs), len(c.bare.Maps)
	for i := range c.manifest.Maps {
		m := &c.manifest.Maps[i]
		if !c.written[m.Name] || c.bare.Maps[m.Name] == nil {
			continue
		}
		c.found.Moved = append(c.found.Moved, m.Name)
		// What it began with is the bare load's, which was never attached.
		if m.Name[0] == '.' && !initial(c.bare.Maps[m.Name], m) {
			c.differs("map %q: the bare load has other contents than the manifest", m.Name)
		}
	}
	return c.found
}

// initial reports whether a data section has the contents that a manifest names.
func initial(have *identity.Map, m *manifest.Map) bool {
	value, some := have.Contents["\x00\x00\x00\x00"]
	if !some || m.Contents == nil {
		return !some && m.Contents == nil
	}
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:]) == m.Contents.SHA256
}
