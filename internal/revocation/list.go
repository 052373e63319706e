// Package revocation is the signed list of what must not be loaded any more:
// keys, objects, old versions. docs/revocation.md specifies it.
//
// It guarantees that one list has one meaning (Decode takes nothing unknown,
// nothing twice and nothing out of order) and that a list cannot be mistaken
// for a manifest, nor a manifest for a list: the signature covers the payload
// type. It does not say who may sign a list, nor whether one is in date: package
// verify does.
//
// verify, floor and the command line import it. It imports dsse, manifest,
// strictjson and keys: the trusted loader links it.
package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/strictjson"
	"github.com/trustedbpf/tbpf/keys"
)

// Types of the payload, fixed in docs/revocation.md.
const (
	PayloadType = "application/vnd.trustedbpf.revocations+json"
	ListType    = "https://github.com/trustedbpf/tbpf/revocations/v1"
)

// maxEntries bounds each of the three lists of entries.
const maxEntries = 4096

// List is what a revocation list says.
type List struct {
	Type    string    `json:"_type"`
	Name    string    `json:"list"`    // whose list it is: serial numbers are counted by it
	Serial  uint64    `json:"serial"`  // from 1, and higher in every list that follows
	Issued  time.Time `json:"issued"`  // UTC, whole seconds
	Expires time.Time `json:"expires"` // UTC, whole seconds, after Issued
	Keys    []string  `json:"keys"`    // key ids, hex, ascending
	Digests []string  `json:"digests"` // sha256 of objects or of their manifests, hex, ascending
	Names   []Version `json:"names"`   // ascending by name
}

// Version is what is said of all objects of one name.
type Version struct {
	Name  string `json:"name"`
	Below uint64 `json:"below,omitempty"` // versions lower than it are revoked
	// Floor lowers what machines remember: a version from here on is taken
	// although a higher one was loaded. 0 leaves the machines' own floor.
	Floor uint64 `json:"floor,omitempty"`
}

// Seen is what a machine remembers of a list.
type Seen struct {
	List   string
	Serial uint64
	Digest [sha256.Size]byte // of the payload
}

// Error says what is wrong with a list.
type Error struct{ Detail string }

func (e *Error) Error() string { return "revocation list: " + e.Detail }

func malformed(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Encode returns the payload that is signed. The same list gives the same
// bytes. It refuses what decode would refuse.
func (l *List) Encode() ([]byte, error) {
	c := *l
	c.Type = ListType
	for _, list := range []*[]string{&c.Keys, &c.Digests} {
		if *list == nil {
			*list = []string{}
		}
	}
	if c.Names == nil {
		c.Names = []Version{}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(&c); err != nil {
		return nil, malformed("%v", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads a payload.
func decode(payload []byte) (*List, error) {
	l := &List{}
	if err := strictjson.Unmarshal(payload, l); err != nil {
		return nil, malformed("%v", err)
	}
	if err := l.validate(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *List) validate() error {
	if l.Type != ListType {
		return malformed("its type is %.100q", l.Type)
	}
	if err := manifest.CheckName(l.Name); err != nil {
		return malformed("%v", err)
	}
	if l.Serial == 0 {
		return malformed("its serial number is 0: the first is 1")
	}
	for _, at := range []time.Time{l.Issued, l.Expires} {
		if err := manifest.CheckTime("a time in it", at); err != nil {
			return malformed("%v", err)
		}
	}
	if !l.Expires.After(l.Issued) {
		return malformed("it expires before it is issued")
	}
	for _, list := range [][]string{l.Keys, l.Digests} {
		if err := checkDigests(list); err != nil {
			return err
		}
	}
	if len(l.Names) > maxEntries {
		return malformed("it has %d names, %d are allowed", len(l.Names), maxEntries)
	}
	for i, n := range l.Names {
		if err := manifest.CheckName(n.Name); err != nil {
			return malformed("%v", err)
		}
		if i > 0 && l.Names[i-1].Name >= n.Name {
			return malformed("the name %q stands twice or out of order", n.Name)
		}
		if n.Below == 0 && n.Floor == 0 {
			return malformed("nothing is said of the name %q", n.Name)
		}
		if n.Floor != 0 && n.Floor < n.Below {
			return malformed("the floor of %q is lower than the least version", n.Name)
		}
	}
	return nil
}

// checkDigests takes SHA-256 digests in hex, ascending.
func checkDigests(list []string) error {
	if len(list) > maxEntries {
		return malformed("it has %d entries of a kind, %d are allowed", len(list), maxEntries)
	}
	for i, d := range list {
		if !isDigest(d) {
			return malformed("%.80q is no SHA-256 in lower-case hex", d)
		}
		if i > 0 && list[i-1] >= d {
			return malformed("%s stands twice or out of order", d)
		}
	}
	return nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

// Version returns what the list says of a name, the zero value if nothing.
func (l *List) Version(name string) Version {
	for _, n := range l.Names {
		if n.Name == name {
			return n
		}
	}
	return Version{}
}

// RevokesKey reports whether a key is on the list.
func (l *List) RevokesKey(id keys.ID) bool {
	name := id.String()
	for _, k := range l.Keys {
		if k == name {
			return true
		}
	}
	return false
}
