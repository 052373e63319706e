package elfsym

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is a small ELF program with symbols. A test's own binary has none: go
// test leaves them out.
func program(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", path, "../bench/peer/nothing")
	build.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func find(data []byte, function string) (uint64, error) {
	all, err := FunctionOffsets(bytes.NewReader(data), int64(len(data)), func(name []byte) bool { return string(name) == function })
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

// It says of functions what debug/elf says.
func TestOffsetsAreThoseOfTheReferenceReader(t *testing.T) {
	data := program(t)
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for i := 0; i < len(symbols); i += len(symbols)/20 + 1 {
		s := symbols[i]
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Section == elf.SHN_UNDEF {
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && s.Value >= p.Vaddr && s.Value-p.Vaddr < p.Filesz {
				checked++
				if got, err := find(data, s.Name); err != nil || got != s.Value-p.Vaddr+p.Off {
					t.Errorf("%s at %#x, %v, want %#x", s.Name, got, err, s.Value-p.Vaddr+p.Off)
				}
			}
		}
	}
	if checked < 3 {
		t.Errorf("%d functions checked", checked)
	}
	if _, err := find(data, "no.such.function"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := find(data, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// tiny is a file with one function, f at 0x1010, which is at 0x110 in the file.
func tiny() []byte {
	b := make([]byte, 600)
	copy(b, "\x7fELF\x02\x01\x01")
	put16 := func(at int, v uint16) { order.PutUint16(b[at:], v) }
	put32 := func(at int, v uint32) { order.PutUint32(b[at:], v) }
	put64 := func(at int, v uint64) { order.PutUint64(b[at:], v) }
	put64(32, 64)
	put64(40, 200)
	put16(54, segmentSize)
	put16(56, 1)
	put16(58, sectionSize)
	put16(60, 3)
	put32(64, segmentLoad) // the segment
	put32(68, 5)
	put64(72, 0x100)
	put64(80, 0x1000)
	put64(96, 0x100)
	put32(200+64+4, sectionSymbols) // the second section
	put64(200+64+24, 400)
	put64(200+64+32, 48)
	put32(200+64+40, 2)
	put64(200+128+24, 500) // the third: names
	put64(200+128+32, 3)
	put32(424, 1) // the second symbol
	b[428] = symbolFunction
	put16(430, 1)
	put64(432, 0x1010)
	copy(b[500:], "\x00f\x00")
	return b
}

func TestDamagedFilesAreRefused(t *testing.T) {
	good := tiny()
	if got, err := find(good, "f"); err != nil || got != 0x110 {
		t.Fatalf("%#x, %v", got, err)
	}
	for what, change := range map[string]func([]byte) []byte{
		"nothing":             func([]byte) []byte { return nil },
		"no magic":            func(b []byte) []byte { b[0] = 0; return b },
		"32 bits":             func(b []byte) []byte { b[4] = 1; return b },
		"another byte order":  func(b []byte) []byte { b[5] ^= 3; return b },
		"sections beyond":     func(b []byte) []byte { order.PutUint64(b[40:], 1<<63); return b },
		"many sections":       func(b []byte) []byte { order.PutUint16(b[60:], 0xffff); return b },
		"segments beyond":     func(b []byte) []byte { order.PutUint64(b[32:], 590); return b },
		"sections of 1":       func(b []byte) []byte { order.PutUint16(b[58:], 1); return b },
		"names in no section": func(b []byte) []byte { order.PutUint32(b[200+64+40:], 3); return b },
		"symbols beyond":      func(b []byte) []byte { order.PutUint64(b[200+64+32:], 1<<62); return b },
		"names beyond":        func(b []byte) []byte { order.PutUint64(b[200+128+24:], 599); return b },
		"code in no segment":  func(b []byte) []byte { order.PutUint64(b[432:], 0x1100); return b },
		"no code segment":     func(b []byte) []byte { order.PutUint32(b[68:], 4); return b },
		"a cut name":          func(b []byte) []byte { order.PutUint64(b[200+128+32:], 2); return b },
		"no function":         func(b []byte) []byte { b[428] = 1; return b },
		"an undefined one":    func(b []byte) []byte { order.PutUint16(b[430:], 0); return b },
	} {
		if got, err := find(change(bytes.Clone(good)), "f"); err == nil {
			t.Errorf("%s: %#x", what, got)
		}
	}
}

func FuzzFunctionOffset(f *testing.F) {
	f.Add(tiny(), "f")
	f.Fuzz(func(t *testing.T, data []byte, name string) { _, _ = find(data, name) })
}
