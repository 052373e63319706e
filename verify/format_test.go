package verify_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/verify"
)

const formatPage = "../docs/format.md"

func page(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(formatPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The example is read out of the vector by a reader that knows the page and
// not the code.
func TestTheExampleOfTheFormatIsTheVector(t *testing.T) {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, readVector(t, "minimal.statement.json"), "", "  "); err != nil {
		t.Fatal(err)
	}
	text := page(t)
	for mark, want := range map[string]string{
		"example":   "```\n" + dump(readVector(t, "minimal.tbpf")) + "```",
		"statement": "```json\n" + pretty.String() + "\n```",
	} {
		before, rest, ok := strings.Cut(text, "<!-- "+mark+" -->\n")
		got, after, ok2 := strings.Cut(rest, "<!-- /"+mark+" -->")
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the %s", formatPage, mark)
		}
		if strings.TrimSpace(got) == want {
			continue
		}
		if !*update {
			t.Errorf("the %s in %s is not the vector's: go test ./verify -update", mark, formatPage)
			continue
		}
		text = before + "<!-- " + mark + " -->\n" + want + "\n<!-- /" + mark + " -->" + after
		if err := os.WriteFile(formatPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	message := fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d {", len(readVector(t, "minimal.statement.json")))
	if !strings.Contains(text, message) {
		t.Errorf("the page does not have %q", message)
	}
}

// dump lists the fields of a sealed object with Ed25519 signatures.
func dump(file []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6s %6s  %-37s %s\n", "offset", "size", "bytes", "meaning")
	at := 0
	field := func(n int, meaning string, args ...any) []byte {
		f := file[at : at+n]
		shown := fmt.Sprintf("% x", f[:min(n, 12)])
		if n > 12 {
			shown = strings.TrimSpace(shown[:33]) + " ..."
		}
		fmt.Fprintf(&b, "%6d %6d  %-37s %s\n", at, n, shown, fmt.Sprintf(meaning, args...))
		at += n
		return f
	}
	number := func(n int, meaning string) int {
		f := append(bytes.Clone(file[at:at+n]), make([]byte, 8-n)...)
		v := binary.LittleEndian.Uint64(f)
		field(n, meaning, v)
		return int(v)
	}
	end := len(file) - footerSize
	at = end
	records := int(binary.LittleEndian.Uint64(file[end:]))
	at = 0
	field(end-records, "object")
	for at < end {
		kind := int(binary.LittleEndian.Uint32(file[at:]))
		field(4, "record: %s", [...]string{"", "statement", "signature", "certificate", "metadata", "loader", "countersignature"}[kind])
		n := number(4, "length of its body: %d")
		last := at + n
		switch kind {
		case recordSignature:
			field(32, "key id")
			number(1, "algorithm: %d")
			number(1, "form of the key: %d")
			k := number(2, "length of the key: %d")
			field(k, "key")
			field(last-at, "signature")
		case recordLoader:
			number(1, "profile: %d")
			if k := number(2, "length of the kernel signature: %d"); k > 0 {
				field(k, "kernel signature")
			}
			field(last-at, "instructions")
		case recordStatement:
			field(n, "statement")
		case recordCertificate:
			field(n, "certificate")
		case recordMetadata:
			field(n, "metadata")
		}
	}
	number(8, "footer: length of all records: %d")
	number(4, "version: %d")
	field(20, "magic")
	return b.String()
}

// Whatever has a number or a name in the format stands on the page.
func TestTheFormatPageIsComplete(t *testing.T) {
	text := page(t)
	want := []string{
		magic, seal.CountersignatureType, manifest.StatementType, manifest.PredicateType, manifest.PayloadType,
		"64 MiB", "4 MiB", "1 to 16 |", fmt.Sprintf("1 to %d for form 1", seal.MaxPublicKey), fmt.Sprintf("1 to %d for form 2", seal.MaxCertificate),
		fmt.Sprintf("signature, 1 to %d", seal.MaxSignature), fmt.Sprintf("there is none, at most %d", seal.MaxCMS), "16 to 8,000,000",
	}
	for _, a := range keys.Algorithms() {
		want = append(want, fmt.Sprintf("| %d | %v |", uint8(a), a))
	}
	for _, p := range bpfabi.Profiles() {
		want = append(want, fmt.Sprintf("%d = `%v`", uint8(p), p))
	}
	for _, field := range fields(reflect.TypeFor[manifest.Manifest](), nil) {
		want = append(want, "`"+field+"`")
	}
	for _, r := range allReasons() {
		want = append(want, "`"+string(r)+"`")
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not have %q", formatPage, w)
		}
	}
	if seal.MaxObject != 64<<20 || seal.MaxStatement != 4<<20 || seal.MaxSignatures != 16 || seal.MaxLoader != 8000000 || seal.MaxSigned != 1<<24-1 {
		t.Error("a limit changed and the page did not")
	}
}

// fields returns the JSON names of a type and of those in it.
func fields(t reflect.Type, seen []reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	for _, s := range seen {
		if s == t {
			return nil
		}
	}
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "-" || name == "" {
			continue
		}
		out = append(append(out, name), fields(t.Field(i).Type, append(seen, t))...)
	}
	return out
}

func allReasons() []verify.Reason {
	return []verify.Reason{
		verify.KernelSignerUntrusted, verify.NoSeal, verify.MalformedSeal, verify.MalformedKey, verify.KeyIDMismatch, verify.WrongSignature, verify.SignatureNoPAE,
		verify.MalformedManifest, verify.ObjectMismatch, verify.ProfileMismatch, verify.LoaderMismatch, verify.MetadataMismatch,
		verify.CertMismatch, verify.KernelSignature, verify.NotReproducible, verify.NoTrustedSigner, verify.CertificateRefused,
		verify.CertificateExpired, verify.CertificateNotYet, verify.ObjectExpired, verify.AlgorithmForbidden, verify.AlgorithmUnchecked, verify.ProgramTypeForbidden,
		verify.ProfileForbidden, verify.TooFewSignatures, verify.OlderVersion, verify.RegenerationFailed, verify.InvalidOptions,
	}
}
