package record

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

func filled() *Object {
	return &Object{
		Name: "guard", Version: 3, Object: "sha256:00", Manifest: "sha256:11", File: "/usr/lib/a b.tbpf", Pins: "/sys/fs/bpf/tbpf/guard",
		Profile: "bound", KernelVerified: true, Token: true, Keyring: "boot", Serial: math.MaxInt32, Boot: "b-o-o-t", Time: time.Unix(1_790_000_000, 0).UTC(), Loader: "v1",
		Signers: []Signer{{keys.ID{1}, "ed25519", "CN=\"x\"\nprogram 1"}, {keys.ID{2}, "ed25519", ""}},
		Attach:  []Pair{{"count", "eth0:egress"}},
		Set:     []Pair{{"comm", "a \"b\"\n"}, {"events.max_entries", "4096"}},
		Programs: []Program{
			{math.MaxUint32, "0123456789abcdef", math.MaxUint64, "lsm", "open", "open"}, {2, "0123456789abcdef", 1, "xdp", "a.b", "a_b"},
		},
		Maps:  []Map{{7, "ringbuf", ".rodata", "_rodata"}},
		Links: []Link{{1, 2, "tracing", "open", "open"}},
	}
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	for _, o := range []*Object{filled(), {Name: "a", Time: time.Unix(0, 0).UTC()}} {
		data := o.Encode()
		if o.Object == "" { // words that are never empty
			o.Object, o.Manifest = "sha256:00", "sha256:00"
			data = o.Encode()
		}
		got, err := Decode(data)
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%v\n%s\n%+v", err, data, got)
		}
	}
}

func TestWhatIsNotARecordIsRefused(t *testing.T) {
	data := filled().Encode()
	var e *Error
	for i := range data {
		if _, err := Decode(data[:i]); !errors.As(err, &e) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	text := string(data)
	for name, changed := range map[string]string{
		"nothing":                        "",
		"another format":                 strings.Replace(text, "record/1", "record/2", 1),
		"an unknown line":                strings.Replace(text, "end\n", "else 1\nend\n", 1),
		"a line twice":                   strings.Replace(text, "version 3\n", "version 3\nversion 3\n", 1),
		"lines out of order":             strings.Replace(text, "version 3\nobject sha256:00\n", "object sha256:00\nversion 3\n", 1),
		"a keyring's number is negative": strings.Replace(text, "\"boot\" 2147483647", "\"boot\" -1", 1),

		"a word more":         strings.Replace(text, "version 3", "version 3 4", 1),
		"another spelling":    strings.Replace(text, "version 3", "version 03", 1),
		"a number too large":  strings.Replace(text, "map 7", "map 4294967296", 1),
		"a name with a slash": strings.Replace(text, "name guard", "name ../guard", 1),
		"neither yes nor no":  strings.Replace(text, "token true", "token yes", 1),
		"an unknown verifier": strings.Replace(text, "verified kernel", "verified nobody", 1),
		"a key id cut short":  strings.Replace(text, "signer 01", "signer ", 1),
		"something behind":    text + "end\n",
		"too much":            text + strings.Repeat("x", MaxSize),
	} {
		if changed == text {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := Decode([]byte(changed)); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(filled().Encode())
	f.Add([]byte(header + "\nname a\nend\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := Decode(data); err == nil && !bytes.Equal(o.Encode(), data) {
			t.Errorf("two encodings: %q", data)
		}
	})
}
