// Package record is what the trusted loader writes down of the objects that it
// loaded: one file for each beneath /run/tbpf, by the object's name.
// docs/record.md specifies the file.
//
// It guarantees that a record which Decode returns is whole and has one
// encoding. It does not say that what it names is in the kernel: a record is to
// be checked against the kernel and never believed, and no verdict in it stands
// in for a verification.
//
// The trusted loader writes records, `tbpf status` reads them. It imports keys,
// manifest (for names) and trustpath and nothing else of tbpf.
package record

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/keys"
)

// MaxSize bounds a record, in bytes.
const MaxSize = 1 << 20

// header is the first line of every record of this format.
const header = "tbpf-record/1"

// Object is one object that was loaded.
type Object struct {
	Name     string
	Version  uint64
	Object   string // digest of the object: "sha256:" and hex
	Manifest string // digest of the manifest's signed bytes, likewise
	File     string // path of the sealed object
	Pins     string // directory that holds its pins
	Profile  string // "bound", "selfcheck-excl", "selfcheck", "unsigned"
	// KernelVerified: the kernel checked the signature. If not, the loader
	// alone did.
	KernelVerified bool
	Token          bool   // it was loaded through a BPF token, in a worker
	Keyring        string // that the kernel asked: "boot", "own", "builtin", ...; "none" if it did not check
	Serial         int32  // of that keyring; 0 for the kernel's own, and for none
	Boot           string // the kernel's boot id (/proc/sys/kernel/random/boot_id)
	Time           time.Time
	Loader         string // version of the loader
	Signers        []Signer
	Attach         []Pair // program and target
	Set            []Pair // tunable and value
	Programs       []Program
	Maps           []Map
	Links          []Link
}

// Signer is a key whose signature counted.
type Signer struct {
	KeyID     keys.ID
	Algorithm string
	Subject   string // of its certificate; empty for a bare key
}

// Pair is what the boot set said of a program or a tunable.
type Pair struct{ Name, Value string }

// Program is one program.
type Program struct {
	ID       uint32
	Tag      string // 16 hex digits, as the kernel computed it
	LoadTime uint64 // ns since boot, as the kernel tells it
	Type     string
	Name     string // in the object
	Pin      string // its file in the directory programs of Pins
}

// Map is one map.
type Map struct {
	ID   uint32
	Type string
	Name string
	Pin  string // its file in the directory maps
}

// Link is one attachment.
type Link struct {
	ID        uint32
	ProgramID uint32
	Type      string
	Program   string // name
	Pin       string // its file in the directory links
}

// Verifier says who checked the signature: "kernel" or "user-space".
func (o *Object) Verifier() string {
	if o.KernelVerified {
		return "kernel"
	}
	return "user-space"
}

// Encode returns the record's one encoding.
func (o *Object) Encode() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", header)
	line("name %s", o.Name)
	line("version %d", o.Version)
	line("object %s", o.Object)
	line("manifest %s", o.Manifest)
	line("file %q", o.File)
	line("pins %q", o.Pins)
	line("profile %q", o.Profile)
	line("verified %s", o.Verifier())
	line("token %t", o.Token)
	line("keyring %q %d", o.Keyring, o.Serial)
	line("boot %q", o.Boot)
	line("time %d", o.Time.Unix())
	line("loader %q", o.Loader)
	for _, s := range o.Signers {
		line("signer %s %q %q", s.KeyID, s.Algorithm, s.Subject)
	}
	for _, t := range o.Attach {
		line("attach %q %q", t.Name, t.Value)
	}
	for _, v := range o.Set {
		line("set %q %q", v.Name, v.Value)
	}
	for _, p := range o.Programs {
		line("program %d %s %d %q %q %q", p.ID, p.Tag, p.LoadTime, p.Type, p.Name, p.Pin)
	}
	for _, m := range o.Maps {
		line("map %d %q %q %q", m.ID, m.Type, m.Name, m.Pin)
	}
	for _, l := range o.Links {
		line("link %d %d %q %q %q", l.ID, l.ProgramID, l.Type, l.Program, l.Pin)
	}
	line("end")
	return b.Bytes()
}

// Error says why something is no record.
type Error struct{ Detail string }

func (e *Error) Error() string { return "record: " + e.Detail }

// Decode is the inverse of Encode, and takes nothing else.
func Decode(data []byte) (*Object, error) {
	if len(data) > MaxSize {
		return nil, &Error{fmt.Sprintf("it has more than %d bytes", MaxSize)}
	}
	o := &Object{}
	for i, text := range strings.SplitAfter(string(data), "\n") {
		if text == "" {
			break // after the last line
		}
		w := &words{rest: strings.TrimSuffix(text, "\n")}
		if i == 0 {
			w.bad = w.rest != header
		} else {
			o.read(w)
		}
		if w.bad || i > 0 && w.rest != "" {
			return nil, &Error{fmt.Sprintf("line %d is none of its lines", i+1)}
		}
	}
	if err := manifest.CheckName(o.Name); err != nil {
		return nil, &Error{err.Error()}
	}
	// Order, spelling and completeness in one: there is one encoding.
	if !bytes.Equal(o.Encode(), data) {
		return nil, &Error{"it is not in its one encoding: lines are missing, out of order or written otherwise"}
	}
	return o, nil
}

// read takes over one line.
func (o *Object) read(w *words) {
	switch w.next() {
	case "name":
		o.Name = w.next()
	case "version":
		o.Version = w.number(64)
	case "object":
		o.Object = w.next()
	case "manifest":
		o.Manifest = w.next()
	case "file":
		o.File = w.quoted()
	case "pins":
		o.Pins = w.quoted()
	case "profile":
		o.Profile = w.quoted()
	case "verified":
		o.KernelVerified = w.next() == "kernel"
	case "token":
		o.Token = w.next() == "true"
	case "keyring":
		o.Keyring, o.Serial = w.quoted(), int32(w.number(31))
	case "boot":
		o.Boot = w.quoted()
	case "time":
		o.Time = time.Unix(int64(w.number(40)), 0).UTC()
	case "loader":
		o.Loader = w.quoted()
	case "signer":
		o.Signers = append(o.Signers, Signer{w.keyID(), w.quoted(), w.quoted()})
	case "attach":
		o.Attach = append(o.Attach, Pair{w.quoted(), w.quoted()})
	case "set":
		o.Set = append(o.Set, Pair{w.quoted(), w.quoted()})
	case "program":
		o.Programs = append(o.Programs, Program{uint32(w.number(32)), w.next(), w.number(64), w.quoted(), w.quoted(), w.quoted()})
	case "map":
		o.Maps = append(o.Maps, Map{uint32(w.number(32)), w.quoted(), w.quoted(), w.quoted()})
	case "link":
		o.Links = append(o.Links, Link{uint32(w.number(32)), uint32(w.number(32)), w.quoted(), w.quoted(), w.quoted()})
	case "end":
	default:
		w.bad = true
	}
}

// words takes a line apart.
type words struct {
	rest string
	bad  bool
}

// next is the next word without quotes.
func (w *words) next() string {
	word, rest, _ := strings.Cut(w.rest, " ")
	w.rest = rest
	w.bad = w.bad || word == ""
	return word
}

func (w *words) number(bits int) uint64 {
	n, err := strconv.ParseUint(w.next(), 10, bits)
	w.bad = w.bad || err != nil
	return n
}

// quoted is the next word, in quotes as Go writes strings.
func (w *words) quoted() string {
	text, err := strconv.QuotedPrefix(w.rest)
	if err != nil {
		w.bad = true
		return ""
	}
	w.rest = strings.TrimPrefix(w.rest[len(text):], " ")
	s, err := strconv.Unquote(text)
	w.bad = w.bad || err != nil
	return s
}

func (w *words) keyID() (id keys.ID) {
	b, err := hex.DecodeString(w.next())
	if err != nil || len(b) != len(id) {
		w.bad = true
		return id
	}
	return keys.ID(b)
}
