package vmtest

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"
)

const guestPackage = "github.com/trustedbpf/tbpf/internal/vmtest/guest"

// The guest's own /init serves as a program: started a second time it says so
// on standard error and exits with 2.
func TestStepsReportWhatTheyDid(t *testing.T) {
	Require(t, "7.3")
	result := Boot(t, Machine{
		Kernel: "7.3",
		Files:  Files{"/bin/program": {Host: Static(t, guestPackage)}},
		Steps: []Step{
			{Args: []string{"program"}},
			{Args: []string{"no-such-program"}},
		},
	})
	if len(result.Steps) != 2 {
		t.Fatalf("%d steps, want 2", len(result.Steps))
	}
	first, second := result.Steps[0], result.Steps[1]
	if first.Code != 2 || !first.Ended || !strings.Contains(string(first.Stderr), "runs only as the first process") {
		t.Errorf("program: code %d, ended %v, stderr %q", first.Code, first.Ended, first.Stderr)
	}
	if second.Code != 127 || second.Error == "" {
		t.Errorf("missing program: code %d, error %q; want 127 and why", second.Code, second.Error)
	}
}

// What a dead or hanging machine prints must never pass for a result.
func TestMachineThatDoesNotEndIsAnError(t *testing.T) {
	Require(t, "7.3")
	tests := map[string]struct {
		machine Machine
		want    string
	}{
		"panic":    {Machine{Kernel: "7.3", Append: "rdinit=/nowhere"}, "went down"},
		"time-out": {Machine{Kernel: "7.3", Timeout: time.Second}, "no end after 1s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := test.machine.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestUnknownKernelIsMissing(t *testing.T) {
	_, err := Machine{Kernel: "2.4"}.Run(t.Context())
	if _, ok := err.(*MissingError); !ok {
		t.Errorf("error %v, want a *MissingError", err)
	}
}

// The kernel unpacks the archive by these rules: names relative to /, parents
// before children, everything aligned to four bytes.
func TestInitrdIsAnAlignedArchiveWithParents(t *testing.T) {
	var out bytes.Buffer
	err := writeInitrd(&out, Files{
		"/": {Mode: os.ModeDir | 0o755}, "/bin": {Mode: os.ModeDir | 0o711}, "/bin/a": {Data: []byte("12345")},
		"/bin/l": {Data: []byte("a"), Mode: os.ModeSymlink}, "b": {Data: []byte("x"), Mode: 0o600},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out.Len()%4 != 0 {
		t.Errorf("%d bytes: not aligned", out.Len())
	}
	var got []string
	for rest := out.Bytes(); len(rest) > 0; {
		if string(rest[:6]) != "070701" {
			t.Fatalf("no header at %q", rest[:6])
		}
		mode, size, nameSize := field(t, rest, 1), field(t, rest, 6), field(t, rest, 11)
		name := string(rest[110 : 110+nameSize-1])
		data := (110 + nameSize + 3) &^ 3
		got = append(got, name+" "+string(rest[data:data+size])+" "+string(rune('0'+mode>>12%16)))
		rest = rest[(data+size+3)&^3:]
	}
	want := ".  4|bin  4|bin/a 12345 8|bin/l a :|w  4|w/b x 8|TRAILER!!!  0"
	if strings.Join(got, "|") != want {
		t.Errorf("entries %q, want %q", strings.Join(got, "|"), want)
	}
}

// field reads the i-th number of a header.
func field(t *testing.T, header []byte, i int) int {
	t.Helper()
	var b [4]byte
	for j := range b {
		digits := header[6+8*i+2*j : 6+8*i+2*j+2]
		for _, digit := range digits {
			value := strings.IndexByte("0123456789abcdef", digit)
			if value < 0 {
				t.Fatalf("header digit %q", digit)
			}
			b[j] = b[j]<<4 | byte(value)
		}
	}
	return int(binary.BigEndian.Uint32(b[:]))
}

func TestGuestResultsBecomeATree(t *testing.T) {
	printed := "\x16=== RUN   TestA\n\x16=== RUN   TestA/x\n    a_test.go:1: said\n" +
		"\x16--- FAIL: TestA (0.50s)\n    \x16--- FAIL: TestA/x (0.25s)\n\x16=== RUN   TestB\n"
	tree, err := readTests([]byte(printed))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.children) != 2 || tree.children[0].action != "fail" || !tree.failed() {
		t.Fatalf("tree %+v", tree)
	}
	x := tree.children[0].children[0]
	if x.name != "x" || x.elapsed != 0.25 || x.log() != "    a_test.go:1: said" {
		t.Errorf("subtest %q %v %q", x.name, x.elapsed, x.log())
	}
	if b := tree.children[1]; b.action == "pass" {
		t.Error("a test that never ended passes")
	}
}
