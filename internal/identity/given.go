//go:build linux

package identity

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Given returns the instructions of each program of a manifest that stand in
// signed metadata: the bytes with the digest that the manifest has. Metadata
// has programs in the manifest's order, each at a multiple of eight.
func Given(m *manifest.Manifest, metadata []byte) (map[string][]byte, error) {
	given := make(map[string][]byte)
	from := 0
	for i := range m.Programs {
		p := &m.Programs[i]
		size := int(p.Instructions.Length)
		if size < 8 || size%8 != 0 {
			return nil, fmt.Errorf("program %q has %d bytes of instructions", p.Name, size)
		}
		found := false
		for at := from; at+size <= len(metadata) && !found; at += 8 {
			insns := metadata[at:][:size]
			if last := insns[size-8]; last&7 != 5 && last&7 != 6 { // a program ends with an exit or a jump
				continue
			}
			if sum := sha256.Sum256(insns); hex.EncodeToString(sum[:]) == p.Instructions.SHA256 {
				given[p.Name], found, from = insns, true, at+size
			}
		}
		if !found {
			return nil, fmt.Errorf("program %q: the signed metadata do not hold the instructions that the manifest has", p.Name)
		}
	}
	return given, nil
}

// ErrUnknown begins why the tag of a program cannot be foretold.
var ErrUnknown = errors.New("its tag cannot be foretold")

// CheckTag wants a loaded program's tag to be that of the given instructions.
// Before the kernel calculates a tag it applies the relocations that the
// program brings along, and the loader program has put in what kernel symbols
// resolve to: here cilium/ebpf does the former, and symbols are looked up in the
// kernel's types and addresses.
//
// The tag is the beginning of a SHA-1 digest, from 6.18 on of a SHA-256 digest,
// which 7.3 calculates before it applies relocations.
func CheckTag(tag [8]byte, given []byte, name string, object *Source, k *Symbols) error {
	uses, err := object.uses(name, len(given))
	if err != nil {
		return err
	}
	resolved := bytes.Clone(given)
	if err := resolve(resolved, uses, k); err != nil {
		return err
	}
	relocated := bytes.Clone(resolved)
	list, err := object.relocations(name, given)
	if err != nil {
		return err
	}
	if err := relocate(relocated, list); err != nil {
		return err
	}
	for _, insns := range [][]byte{resolved, relocated} {
		one, two := sha1.Sum(insns), sha256.Sum256(insns)
		if tag == [8]byte(one[:]) || tag == [8]byte(two[:]) {
			return nil
		}
	}
	sum := sha256.Sum256(relocated)
	return fmt.Errorf("its tag is %x, that of the signed instructions is %x", tag, sum[:8])
}

// resolve does what the loader program does with kernel symbols.
func resolve(insns []byte, uses []use, k *Symbols) error {
	le := binary.LittleEndian
	for _, u := range uses {
		if u.at+8 > len(insns) {
			return errors.New("the object's program is longer than the signed one")
		}
		call := insns[u.at] == codeCall && insns[u.at+1]>>4 == sourceKfunc
		if !call && (insns[u.at] != codeLoad64 || insns[u.at+1]>>4 != 0 || u.at+16 > len(insns)) {
			return fmt.Errorf("instruction %d refers to %q in the object, and to nothing as it was signed", u.at/8, u.name)
		}
		var id uint32
		var address uint64
		var known bool
		var err error
		switch {
		case u.typed:
			id, err = k.typeOf(u.name, call)
			known = id != 0
		default:
			address, known = k.address(u.name)
		}
		switch {
		case err != nil:
			return err
		case !known && u.weak && k.absent(u.name):
		case !known:
			return fmt.Errorf("%w: %q is a module's, or there are several", ErrUnknown, u.name)
		case call:
			le.PutUint32(insns[u.at+4:], id)
		case u.typed:
			insns[u.at+1] |= sourceType << 4
			le.PutUint32(insns[u.at+4:], id)
		default:
			le.PutUint32(insns[u.at+4:], uint32(address))
			le.PutUint32(insns[u.at+12:], uint32(address>>32))
		}
	}
	return nil
}

// relocate applies the program's relocations by the kernel's types.
func relocate(insns []byte, list []relocation) error {
	if len(list) == 0 {
		return nil
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return err
	}
	var relos []*btf.CORERelocation
	for _, r := range list {
		relos = append(relos, r.relo)
	}
	local := func(t btf.Type) (btf.TypeID, error) {
		return 0, fmt.Errorf("%w: it asks for numbers of its own types", ErrUnknown)
	}
	fixups, err := btf.CORERelocate(relos, []*btf.Spec{kernel}, binary.LittleEndian, local)
	if err != nil {
		return fmt.Errorf("%w: relocate it: %v", ErrUnknown, err)
	}
	for i, r := range list {
		if err := fixups[i].Apply(&r.ins); err != nil {
			return fmt.Errorf("%w: relocate it: %v", ErrUnknown, err)
		}
		if r.ins.Constant == btf.COREBadRelocationSentinel {
			if err := poison(insns, r.at); err != nil {
				return err
			}
			continue
		}
		var out bytes.Buffer
		if err := (asm.Instructions{r.ins.WithReference("")}).Marshal(&out, binary.LittleEndian); err != nil {
			return fmt.Errorf("%w: relocate it: %v", ErrUnknown, err)
		}
		if r.at+out.Len() > len(insns) {
			return errors.New("the object's program is longer than the signed one")
		}
		copy(insns[r.at:], out.Bytes())
	}
	return nil
}

// poison does as the kernel does with instructions that have no counterpart in
// its types: calls of a function that does not exist, two for an instruction of
// two halves (tools/lib/bpf/relo_core.c, bpf_core_poison_insn).
func poison(insns []byte, at int) error {
	end := at + 8
	if at < len(insns) && insns[at] == codeLoad64 {
		end += 8
	}
	if end > len(insns) {
		return errors.New("the object's program is longer than the signed one")
	}
	for ; at < end; at += 8 {
		clear(insns[at:][:8])
		insns[at] = codeCall
		binary.LittleEndian.PutUint32(insns[at+4:], btf.COREBadRelocationSentinel)
	}
	return nil
}
