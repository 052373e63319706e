// Package floor keeps how low an object's version may be: for every name and
// signer the highest version that was loaded on this machine, so that an older
// one, however well signed, is refused; and for every revocation list the
// highest serial number that was seen.
//
// It guarantees that state which cannot be read completely is an error and
// never an empty state, and that a floor only rises. Where the state is kept,
// and whether there may be none, is its caller's.
//
// The trusted loader imports it. It imports keys and revocation.
package floor

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/revocation"
	"github.com/trustedbpf/tbpf/keys"
)

// MaxSize bounds a state's encoding, in bytes: some 4,000 entries.
const MaxSize = 1 << 20

// maxName is that of an object's name, in bytes.
const maxName = 128

// header is the first line of every state of this format.
const header = "tbpf-floor/1"

// State is what a machine remembers. The zero value remembers nothing.
type State struct {
	// Time is the latest time at which the state was written. The clock is
	// never before it.
	Time    time.Time
	entries []entry // sorted by name and signer
	lists   []revocation.Seen
}

type entry struct {
	name    string
	signer  keys.ID
	version uint64 // at least 1
}

func (e entry) compare(o entry) int {
	if c := strings.Compare(e.name, o.name); c != 0 {
		return c
	}
	return bytes.Compare(e.signer[:], o.signer[:])
}

// Least returns the lowest version of an object that may still be loaded if
// these keys signed it. Version 0, which stands for none, ends for a name with
// its first version, whoever signed that.
func (s *State) Least(name string, signers []keys.ID) uint64 {
	var least uint64
	for _, e := range s.entries {
		if e.name != name {
			continue
		}
		least = max(least, 1)
		if slices.Contains(signers, e.signer) {
			least = max(least, e.version)
		}
	}
	return least
}

// Raise remembers that a version was loaded which these keys signed, and
// reports whether that changes anything.
func (s *State) Raise(name string, signers []keys.ID, version uint64) (changed bool) {
	if version == 0 {
		return false
	}
	for _, signer := range signers {
		changed = s.raise(entry{name, signer, version}) || changed
	}
	return changed
}

func (s *State) raise(e entry) (changed bool) {
	for i := range s.entries {
		if have := &s.entries[i]; have.compare(e) == 0 {
			changed = have.version < e.version
			have.version = max(have.version, e.version)
			return changed
		}
	}
	s.entries = append(s.entries, e)
	for i := len(s.entries) - 1; i > 0 && s.entries[i].compare(s.entries[i-1]) < 0; i-- {
		s.entries[i], s.entries[i-1] = s.entries[i-1], s.entries[i]
	}
	return true
}

// Seen returns the revocation lists that were seen, by name.
func (s *State) Seen() []revocation.Seen { return slices.Clone(s.lists) }

// Note remembers a revocation list, and reports whether that changes anything.
// The caller has seen to it that it is no older than the one before.
func (s *State) Note(list revocation.Seen) (changed bool) {
	for i, have := range s.lists {
		if have.List == list.List {
			if have.Serial >= list.Serial {
				return false
			}
			s.lists[i] = list
			return true
		}
	}
	s.lists = append(s.lists, list)
	for i := len(s.lists) - 1; i > 0 && compareLists(s.lists[i], s.lists[i-1]) < 0; i-- {
		s.lists[i], s.lists[i-1] = s.lists[i-1], s.lists[i]
	}
	return true
}

func compareLists(a, b revocation.Seen) int { return strings.Compare(a.List, b.List) }

// Encode returns the state's one encoding: lines of text, the last of which is
// the digest of those before it.
//
//	tbpf-floor/1
//	time 1790000000
//	floor <name> <key id> <version>
//	list <name> <serial> <sha256>
//	end <sha256>
func (s *State) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\ntime %d\n", header, max(s.Time.Unix(), 0))
	for _, e := range s.entries {
		fmt.Fprintf(&b, "floor %s %s %d\n", e.name, e.signer, e.version)
	}
	for _, l := range s.lists {
		fmt.Fprintf(&b, "list %s %d %s\n", l.List, l.Serial, hex.EncodeToString(l.Digest[:]))
	}
	sum := sha256.Sum256(b.Bytes())
	fmt.Fprintf(&b, "end %s\n", hex.EncodeToString(sum[:]))
	return b.Bytes()
}

// Error says why a state is none.
type Error struct{ Detail string }

func (e *Error) Error() string { return "rollback floor: " + e.Detail }

// Decode is the inverse of Encode, and takes nothing else.
func Decode(data []byte) (*State, error) {
	refuse := func(format string, args ...any) (*State, error) {
		return nil, &Error{fmt.Sprintf(format, args...)}
	}
	if len(data) > MaxSize {
		return refuse("it has more than %d bytes", MaxSize)
	}
	rest, ok := bytes.CutPrefix(data, []byte(header+"\n"))
	if !ok {
		return refuse("it does not begin with %q: it is damaged, or of another version of tbpf", header)
	}
	s := &State{}
	for i := 0; ; i++ {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return refuse("it is cut short")
		}
		words := strings.Split(string(line), " ")
		switch {
		case i == 0 && len(words) == 2 && words[0] == "time":
			n, ok := number(words[1])
			if !ok || n > 1<<40 {
				return refuse("%.40q is no time", words[1])
			}
			s.Time = time.Unix(int64(n), 0).UTC()
		case i > 0 && len(words) == 4 && words[0] == "floor" && len(s.lists) == 0:
			e, err := parseEntry(words)
			if err != nil {
				return nil, err
			}
			if n := len(s.entries); n > 0 && s.entries[n-1].compare(e) >= 0 {
				return refuse("its entries are not in order")
			}
			s.entries = append(s.entries, e)
		case i > 0 && len(words) == 4 && words[0] == "list":
			l, err := parseList(words)
			if err != nil {
				return nil, err
			}
			if n := len(s.lists); n > 0 && compareLists(s.lists[n-1], l) >= 0 {
				return refuse("its lists are not in order")
			}
			s.lists = append(s.lists, l)
		case i > 0 && len(words) == 2 && words[0] == "end":
			sum := sha256.Sum256(data[:len(data)-len(rest)])
			if words[1] != hex.EncodeToString(sum[:]) {
				return refuse("its digest is wrong: it is damaged")
			}
			if len(after) > 0 {
				return refuse("something follows its end")
			}
			return s, nil
		default:
			return refuse("line %d is none of its lines", i+2)
		}
		rest = after
	}
}

func parseEntry(words []string) (entry, error) {
	id, version, ok := parseNumbered(words[1], words[2], words[3])
	if !ok {
		return entry{}, notAnEntry(words)
	}
	return entry{words[1], keys.ID(id), version}, nil
}

func parseList(words []string) (revocation.Seen, error) {
	digest, serial, ok := parseNumbered(words[1], words[3], words[2])
	if !ok {
		return revocation.Seen{}, notAnEntry(words)
	}
	return revocation.Seen{List: words[1], Serial: serial, Digest: digest}, nil
}

func notAnEntry(words []string) error {
	return &Error{fmt.Sprintf("%.200q is no entry", strings.Join(words, " "))}
}

// parseNumbered reads what both kinds of entry have: a name, a SHA-256 and a
// number from 1.
func parseNumbered(name, digest, n string) (sum [sha256.Size]byte, v uint64, ok bool) {
	raw, err := hex.DecodeString(digest)
	v, ok = number(n)
	if err != nil || len(raw) != len(sum) || hex.EncodeToString(raw) != digest || !ok || v == 0 || name == "" || len(name) > maxName {
		return sum, 0, false
	}
	return [sha256.Size]byte(raw), v, true
}

// number reads a number in its one spelling.
func number(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == s
}
