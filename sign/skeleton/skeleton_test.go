package skeleton

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// fixtures returns the objects of testdata by name.
func fixtures(t testing.TB, pattern string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures match %s: %v", pattern, err)
	}
	objects := make(map[string][]byte)
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		objects[strings.TrimSuffix(filepath.Base(p), ".bpf.o")] = b
	}
	return objects
}

func generate(t testing.TB, object []byte) *Skeleton {
	t.Helper()
	s, err := Generate(object, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSameObjectGivesSameBytes(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		first, err := Generate(object, Options{})
		for range 4 {
			again, errAgain := Generate(object, Options{})
			if err != nil {
				if errAgain == nil || err.Error() != errAgain.Error() {
					t.Errorf("%s: %v, then %v", name, err, errAgain)
				}
				continue
			}
			if errAgain != nil {
				t.Fatalf("%s: %v", name, errAgain)
			}
			if !bytes.Equal(first.Metadata, again.Metadata) {
				t.Errorf("%s: metadata differ", name)
			}
			for p, insns := range first.Loaders {
				if !bytes.Equal(insns, again.Loaders[p]) {
					t.Errorf("%s: loaders of profile %s differ", name, p)
				}
			}
		}
	}
}

// A signature covers instructions and metadata without saying where one ends.
// No other boundary must give a program: shorter ones jump out of themselves,
// longer ones contain opcode 0.
func TestPayloadHasOneBoundary(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		s, err := Generate(object, Options{})
		if err != nil {
			continue
		}
		if len(s.Metadata)%8 != 0 || binary.LittleEndian.Uint64(s.Metadata) != 0 {
			t.Errorf("%s: metadata do not begin with eight zero bytes or are no multiple of eight", name)
		}
		for profile, insns := range s.Loaders {
			for end := 8; end < len(insns); end += 8 {
				if !jumpsOut(insns[:end]) {
					t.Errorf("%s: profile %s: the first %d instructions stay within themselves", name, profile, end/8)
				}
			}
			if jumpsOut(insns) {
				t.Errorf("%s: profile %s: the loader program jumps out of itself", name, profile)
			}
		}
	}
}

// Before 7.3 the kernel reads the caller's descriptor of the metadata map again
// for every reference to it: with two, the map that was checked need not be the
// one that is used.
func TestLoadersReferToTheirMapOnce(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		s, err := Generate(object, Options{})
		if err != nil {
			continue
		}
		for profile, insns := range s.Loaders {
			references := 0
			for i := 0; i < len(insns); i += 8 {
				if insns[i] == 0x18 {
					if insns[i+1]>>4 != 0 {
						references++
					}
					i += 8
				}
			}
			if references != 1 {
				t.Errorf("%s: profile %s refers to its map %d times", name, profile, references)
			}
		}
	}
}

// The signature covers all bound maps in a row. A loader program that does not
// read the metadata's last bytes would run with a first map that ends earlier,
// and take the end of a blob from the memory behind it.
func TestLoadersNeedTheWholeMetadata(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		s, err := Generate(object, Options{})
		if err != nil {
			continue
		}
		last := len(s.Metadata) - 8
		want := []byte{0x79, 0x91, byte(last), byte(last >> 8), 0, 0, 0, 0} // r1 = *(u64 *)(r9 + last)
		if last > 1<<15-1 {
			want = binary.LittleEndian.AppendUint32([]byte{0xbf, 0x95, 0, 0, 0, 0, 0, 0, 0x07, 0x05, 0, 0}, uint32(last))
			want = append(want, 0x79, 0x51, 0, 0, 0, 0, 0, 0) // r5 = r9 + last; r1 = *(u64 *)r5
		}
		for profile, insns := range s.Loaders {
			at := bytes.Index(insns, want)
			latch := bytes.Index(insns, []byte{0xdb, 0x19})
			if at < 0 || latch < at {
				t.Errorf("%s: profile %s does not read the last bytes of the metadata first (at %d, latch at %d)", name, profile, at, latch)
			}
		}
	}
}

// jumpsOut reports whether a jump leads out of the program, or its last
// instruction is half of one.
func jumpsOut(insns []byte) bool {
	for i := 0; i < len(insns); i += 8 {
		op := insns[i]
		if op == 0x18 {
			i += 8
			if i >= len(insns) {
				return true
			}
			continue
		}
		class := op & 7
		if (class == 5 || class == 6) && op&0xf0 != 0x80 && op&0xf0 != 0x90 {
			to := i + 8 + 8*int(int16(binary.LittleEndian.Uint16(insns[i+2:])))
			if to < 0 || to >= len(insns) {
				return true
			}
		}
	}
	return false
}

func TestProfilesDifferInTheCheckAlone(t *testing.T) {
	s := generate(t, fixtures(t, "fileguard.bpf.o")["fileguard"])
	bound, excl, self := s.Loaders[bpfabi.Bound], s.Loaders[bpfabi.SelfcheckExcl], s.Loaders[bpfabi.Selfcheck]
	sum := sha256.Sum256(s.Metadata)
	for i := 0; i < 32; i += 8 {
		var constant [16]byte
		constant[0], constant[1] = 0x18, 0x03
		copy(constant[4:8], sum[i:])
		copy(constant[12:16], sum[i+4:])
		for p, insns := range s.Loaders {
			if has := bytes.Contains(insns, constant[:]); has != (p != bpfabi.Bound) {
				t.Errorf("profile %s compares word %d of the metadata's digest: %v", p, i/8, has)
			}
		}
	}
	readExcl := []byte{0x61, 0x12, 32, 0, 0, 0, 0, 0}
	readOps := []byte{0x79, 0x12, 32, 0, 0, 0, 0, 0}
	if !bytes.Contains(excl, readExcl) || bytes.Contains(excl, readOps) {
		t.Error("profile selfcheck-excl does not read bpf_map.excl")
	}
	if !bytes.Contains(self, readOps) || bytes.Contains(self, readExcl) {
		t.Error("profile selfcheck does not read bpf_map.ops, so a kernel with exclusive maps takes it")
	}
	tail := bound[len(bound)-8*40 : len(bound)-8]
	if !bytes.Contains(excl, tail) || !bytes.Contains(self, tail) {
		t.Error("the profiles differ at their ends")
	}
}

func TestRefusalNamesTheThing(t *testing.T) {
	want := map[string]string{
		"arena": `section ".addr_space.1"`, "kconfig": `variable "LINUX_TBPF_UNKNOWN"`, "structops": `map "steady"`,
	}
	for name, object := range fixtures(t, filepath.Join("refused", "*.bpf.o")) {
		_, err := Generate(object, Options{})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Errorf("%s: error %v is no UnsupportedError", name, err)
			continue
		}
		if w, ok := want[name]; ok && unsupported.Name != w {
			t.Errorf("%s: refusal names %s, want %s", name, unsupported.Name, w)
		}
	}
	if _, err := Generate(nil, Options{}); err == nil {
		t.Error("no error for an empty file")
	}
	if _, err := Generate([]byte("not an ELF file"), Options{}); err == nil {
		t.Error("no error for text")
	}
}

// Of two sections of one name readers take either: the same object would be
// another each time.
func TestTwoSectionsOfOneNameAreRefused(t *testing.T) {
	object := bytes.Clone(fixtures(t, "xdpcount.bpf.o")["xdpcount"])
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	header := func(name string) []byte {
		at := slices.IndexFunc(f.Sections, func(s *elf.Section) bool { return s.Name == name })
		return object[binary.LittleEndian.Uint64(object[40:])+64*uint64(at):]
	}
	for _, pair := range [][2]string{{".data", ".bss"}, {".rodata", ".data"}, {".symtab", ".BTF"}, {".symtab", "license"}} {
		from, to := header(pair[0]), header(pair[1])
		was := [4]byte(from)
		copy(from[:4], to)
		if _, err := Generate(object, Options{}); err == nil || !strings.Contains(err.Error(), "two sections are named \""+pair[1]+"\"") {
			t.Errorf("two sections %s: %v", pair[1], err)
		}
		copy(from, was[:])
	}
	if _, err := Generate(object, Options{}); err != nil {
		t.Error(err)
	}
}

// What is in a section of structures is read as structures: a program there,
// which other readers load, must not be left out without a word.
func TestProgramsAreNotTakenForStructures(t *testing.T) {
	object := bytes.Clone(fixtures(t, "xdpcount.bpf.o")["xdpcount"])
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	for i, sec := range f.Sections {
		if sec.Name != "xdp" {
			continue
		}
		header := object[binary.LittleEndian.Uint64(object[40:])+64*uint64(i):]
		binary.LittleEndian.PutUint32(header, uint32(len(object)-int(f.SectionByType(elf.SHT_STRTAB).Offset)))
		names := object[binary.LittleEndian.Uint64(object[40:])+64*uint64(binary.LittleEndian.Uint16(object[62:])):]
		binary.LittleEndian.PutUint64(names[32:], uint64(len(object)-int(f.SectionByType(elf.SHT_STRTAB).Offset)+len(".struct_ops")+1))
	}
	object = append(object, ".struct_ops\x00"...)
	_, err = Generate(object, Options{})
	if refusal, ok := errors.AsType[*UnsupportedError](err); !ok || refusal.Name != `section ".struct_ops"` {
		t.Errorf("%v", err)
	}
}

// The kernel reads a licence up to its first NUL. A manifest with more than
// that would not say what the kernel sees.
func TestALicenceEndsAtItsNUL(t *testing.T) {
	o, err := parseObject(fixtures(t, "xdpcount.bpf.o")["xdpcount"])
	if err != nil {
		t.Fatal(err)
	}
	o.spec.Programs["count_udp"].License = "GPL\x00and more"
	_, err = newPlan(o, Options{})
	if refusal, ok := errors.AsType[*UnsupportedError](err); !ok || refusal.Name != `program "count_udp"` {
		t.Errorf("%v", err)
	}
}

func TestSlotsAreDistinctAndFitTheContext(t *testing.T) {
	for name, object := range fixtures(t, "*.bpf.o") {
		s, err := Generate(object, Options{})
		if err != nil {
			continue
		}
		used := make(map[int]bool)
		take := func(slot int, what string) {
			if slot < 0 || used[slot] || loadctx.SlotOffset(slot)+4 > int(s.Manifest.Context) {
				t.Errorf("%s: slot %d of %s is taken or outside", name, slot, what)
			}
			used[slot] = true
		}
		for _, m := range s.Manifest.Maps {
			take(m.Slot, m.Name)
			if m.PerCPU {
				take(m.Slot+1, m.Name)
			}
		}
		for _, p := range s.Manifest.Programs {
			take(p.Slot, p.Name)
			if p.Attach.By == byKernel {
				take(p.Attach.Link, p.Name)
			}
			if p.Attach.Input != "" && p.Attach.By == byKernel {
				take(p.Attach.InputSlot, p.Name)
				if p.Type == "sched_cls" && p.AttachType == "" {
					take(p.Attach.InputSlot+1, p.Name)
				}
			}
		}
	}
}
