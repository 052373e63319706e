package manifest

import (
	"fmt"
	"slices"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// Limits on counts. A statement of MaxSize bytes could hold more.
const (
	maxAnnotations = 64
	maxPrograms    = 1024
	maxMaps        = 1024
	maxGlobals     = 65536
	maxSymbols     = 4096
)

// Validate returns an error for the first rule that the manifest breaks:
// values, names, references between its parts, slots. It does not look at the
// bytes that the manifest names.
func (m *Manifest) Validate() error {
	for _, check := range []func(*Manifest) error{
		(*Manifest).checkHead, (*Manifest).checkProfiles, (*Manifest).checkMaps,
		(*Manifest).checkPrograms, (*Manifest).checkGlobals, (*Manifest).checkSymbols,
		(*Manifest).checkTunables, (*Manifest).checkSlots, (*Manifest).checkNeeds,
	} {
		if err := check(m); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) checkHead() error {
	if err := CheckName(m.Name); err != nil {
		return err
	}
	if err := checkFileName("object's file name", m.Object.Name, maxName); err != nil {
		return err
	}
	if err := checkDigest("object", m.Object.SHA256); err != nil {
		return err
	}
	if m.ObjectSize == 0 {
		return fmt.Errorf("the object has no bytes")
	}
	if err := CheckTime("created", m.Created); err != nil {
		return err
	}
	if m.NotAfter != nil {
		if err := CheckTime("notAfter", *m.NotAfter); err != nil {
			return err
		}
		if !m.NotAfter.After(m.Created) {
			return fmt.Errorf("notAfter is not after created")
		}
	}
	if len(m.Annotations) > maxAnnotations {
		return fmt.Errorf("%d annotations, %d are allowed", len(m.Annotations), maxAnnotations)
	}
	for k, v := range m.Annotations {
		if err := checkText("annotation key", k, 128); err != nil {
			return err
		}
		if v != "" {
			if err := checkText("annotation "+k, v, 4096); err != nil {
				return err
			}
		}
	}
	if err := checkWord("architecture", m.Architecture, lower+digits+"_", 32); err != nil {
		return err
	}
	if m.ByteOrder != "little" && m.ByteOrder != "big" {
		return fmt.Errorf("byte order %q is neither little nor big", m.ByteOrder)
	}
	return m.checkSigners()
}

func (m *Manifest) checkSigners() error {
	if k := m.KernelSigner; k != nil {
		if err := checkDigest("kernel signer's key", k.KeyID); err != nil {
			return err
		}
		if err := checkDigest("kernel signer's certificate", k.Certificate); err != nil {
			return err
		}
		if slices.Contains(m.Certificates, k.Certificate) {
			return fmt.Errorf("the kernel signer's certificate is listed among the others")
		}
	}
	if k := m.KernelSigner; k != nil {
		if err := k.checkChain(); err != nil {
			return err
		}
	}
	for _, c := range m.Certificates {
		if err := checkDigest("certificate", c); err != nil {
			return err
		}
	}
	return checkAscending("certificates", m.Certificates)
}

// maxChain is the number of certificates in a kernel signature.
const maxChain = 4

func (k *KernelSigner) checkChain() error {
	if len(k.Chain) == 0 {
		return nil
	}
	if len(k.Chain) > maxChain || k.Chain[0] != k.Certificate {
		return fmt.Errorf("the kernel signatures carry up to %d certificates, the signer's first", maxChain)
	}
	for i, c := range k.Chain {
		if err := checkDigest("certificate of the kernel signatures", c); err != nil {
			return err
		}
		if slices.Contains(k.Chain[:i], c) {
			return fmt.Errorf("the kernel signatures carry a certificate twice")
		}
	}
	return nil
}

// CheckTime takes UTC and whole seconds, in years that RFC 3339 can write.
func CheckTime(what string, t time.Time) error {
	if t.Nanosecond() != 0 || t.Year() < 1970 || t.Year() > 9999 {
		return fmt.Errorf("%s is not a whole second between 1970 and 9999", what)
	}
	if _, offset := t.Zone(); offset != 0 {
		return fmt.Errorf("%s is not in UTC", what)
	}
	return nil
}

func (m *Manifest) checkProfiles() error {
	if len(m.Profiles) == 0 {
		return fmt.Errorf("there is no profile")
	}
	last := bpfabi.Profile(0)
	for _, p := range m.Profiles {
		number, err := bpfabi.ParseProfile(p.Name)
		if err != nil {
			return err
		}
		if number <= last {
			return fmt.Errorf("profile %s stands twice or out of order", p.Name)
		}
		last = number
		if err := p.Loader.check("loader of profile " + p.Name); err != nil {
			return err
		}
		if err := p.Metadata.check("metadata of profile " + p.Name); err != nil {
			return err
		}
		// All loader programs of a seal work on one record of metadata.
		if p.Metadata != m.Profiles[0].Metadata {
			return fmt.Errorf("profiles %s and %s differ in their metadata", m.Profiles[0].Name, p.Name)
		}
	}
	return nil
}

func (b *Blob) check(what string) error {
	if b.Length == 0 {
		return fmt.Errorf("%s has no bytes", what)
	}
	return checkDigest(what, b.SHA256)
}

func (m *Manifest) checkGlobals() error {
	if len(m.Globals) > maxGlobals {
		return fmt.Errorf("%d globals, %d are allowed", len(m.Globals), maxGlobals)
	}
	sizes := make(map[string]uint64, len(m.Maps))
	for i := range m.Maps {
		sizes[m.Maps[i].Name] = uint64(m.Maps[i].ValueSize)
		if m.Maps[i].IsArena() {
			sizes[m.Maps[i].Name] = uint64(m.Maps[i].MaxEntries) * ArenaPage
		}
	}
	for i := range m.Globals {
		g := &m.Globals[i]
		if err := checkText("global", g.Name, maxName); err != nil {
			return err
		}
		size, known := sizes[g.Map]
		if !known {
			return fmt.Errorf("global %s lies in a map %q that is not listed", g.Name, g.Map)
		}
		if uint64(g.Offset)+uint64(g.Size) > size {
			return fmt.Errorf("global %s does not lie within its map", g.Name)
		}
		if g.Type != "" {
			if err := checkText("type of global "+g.Name, g.Type, maxTarget); err != nil {
				return err
			}
		}
		if g.Value != "" && (uint64(len(g.Value)) != 2*uint64(g.Size) || g.Size > 64 || !madeOf(g.Value, hexDigits)) {
			return fmt.Errorf("the value of global %s is not its bytes in hex", g.Name)
		}
	}
	return nil
}

func (m *Manifest) checkSymbols() error {
	if len(m.Symbols) > maxSymbols {
		return fmt.Errorf("%d symbols, %d are allowed", len(m.Symbols), maxSymbols)
	}
	for _, s := range m.Symbols {
		if err := checkText("symbol", s.Name, maxName); err != nil {
			return err
		}
		if !slices.Contains([]string{SymbolKfunc, SymbolVariable, SymbolAddress}, s.Kind) {
			return fmt.Errorf("symbol %s has the unknown kind %q", s.Name, s.Kind)
		}
	}
	return nil
}

// checkSlots sees to it that every slot lies in the context and that no two
// things share one.
func (m *Manifest) checkSlots() error {
	end := m.tunablesAt()
	if end < loadctx.OffSlots || end%8 != 0 || end > uint32(loadctx.Size(loadctx.MaxSlots)) {
		return fmt.Errorf("a context of %d bytes is none", m.Context)
	}
	slots := (int(end) - loadctx.OffSlots) / 4
	owner := make(map[int]string, slots)
	claim := func(slot int, who string) error {
		if slot < 0 || slot >= slots {
			return fmt.Errorf("%s has slot %d, the context has %d", who, slot, slots)
		}
		if other, taken := owner[slot]; taken {
			return fmt.Errorf("%s and %s share slot %d", other, who, slot)
		}
		owner[slot] = who
		return nil
	}
	for i := range m.Maps {
		if err := claim(m.Maps[i].Slot, "map "+m.Maps[i].Name); err != nil {
			return err
		}
		if s := m.Maps[i].StructOps; s != nil {
			if err := claim(s.Link, "link of map "+m.Maps[i].Name); err != nil {
				return err
			}
		}
		if m.Maps[i].PerCPU {
			if err := claim(m.Maps[i].Slot+1, "size of map "+m.Maps[i].Name); err != nil {
				return err
			}
		}
		if m.Maps[i].Keep != "" {
			if err := claim(m.Maps[i].KeepSlot(), "kept map "+m.Maps[i].Name); err != nil {
				return err
			}
		}
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		if err := claim(p.Slot, "program "+p.Name); err != nil {
			return err
		}
		if p.Attach.By == AttachByKernel {
			if err := claim(p.Attach.Link, "link of "+p.Name); err != nil {
				return err
			}
		}
		for j := range p.Attach.inputs(p) {
			if err := claim(p.Attach.InputSlot+j, "input of "+p.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// inputs is how many slots of the context name the target: a tc program whose
// direction is open has a second one, for the attach type, and one that replaces
// a function, for the number of the function's type.
func (a *Attach) inputs(p *Program) int {
	switch {
	case a.Input == "" || a.By == AttachByBroker:
		return 0
	case a.Input == InputProgram:
		return 2
	case a.Input == InputInterface && p.Type == bpfabi.ProgramSchedCls.String() && p.AttachType == "":
		return 2
	default:
		return 1
	}
}
