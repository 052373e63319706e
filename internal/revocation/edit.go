package revocation

import (
	"slices"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

// Entries are what a list says of keys, objects and names.
type Entries struct {
	Keys    []string
	Digests []string
	Names   []Version
}

// Check returns an error for an entry that no list can have. Their order is
// free. A name of which nothing is said is one to take off a list.
func (e *Entries) Check() error {
	for _, d := range slices.Concat(e.Keys, e.Digests) {
		if err := checkDigests([]string{d}); err != nil {
			return err
		}
	}
	return nil
}

// Follow makes the list the one that follows it: with the entries added or
// withdrawn, the next serial number, and in date for a while from now on.
func (l *List) Follow(e Entries, withdraw bool, now time.Time, life time.Duration) error {
	if l.Serial+1 == 0 {
		return malformed("it has the last serial number that there is")
	}
	for _, pair := range []struct {
		list  *[]string
		names []string
	}{{&l.Keys, e.Keys}, {&l.Digests, e.Digests}} {
		for _, name := range pair.names {
			i, found := slices.BinarySearch(*pair.list, name)
			switch {
			case withdraw && !found:
				return malformed("%s is not on it", name)
			case withdraw:
				*pair.list = slices.Delete(*pair.list, i, i+1)
			case !found:
				*pair.list = slices.Insert(*pair.list, i, name)
			}
		}
	}
	for _, v := range e.Names {
		if err := l.setVersion(v, withdraw); err != nil {
			return err
		}
	}
	// A clock that was set back makes no list that is older than the last.
	if now = now.UTC().Truncate(time.Second); now.Before(l.Issued) {
		now = l.Issued
	}
	l.Serial, l.Issued, l.Expires = l.Serial+1, now, now.Add(life).Truncate(time.Second)
	return nil
}

func (l *List) setVersion(v Version, withdraw bool) error {
	i, found := slices.BinarySearchFunc(l.Names, v, func(a, b Version) int { return strings.Compare(a.Name, b.Name) })
	switch {
	case withdraw && !found:
		return malformed("the name %q is not on it", v.Name)
	case withdraw:
		l.Names = slices.Delete(l.Names, i, i+1)
		return nil
	case !found:
		l.Names = slices.Insert(l.Names, i, v)
		return nil
	}
	// What is said of a name once is only taken back with withdraw.
	have := &l.Names[i]
	have.Below = max(have.Below, v.Below)
	if v.Floor != 0 {
		have.Floor = v.Floor
	}
	if have.Floor != 0 && have.Floor < have.Below {
		have.Floor = have.Below
	}
	return nil
}

// Sign makes the file of the list, with one signature: sign returns the key's
// over a message.
func (l *List) Sign(id keys.ID, sign func(message []byte) ([]byte, error)) (*File, error) {
	payload, err := l.Encode()
	if err != nil {
		return nil, err
	}
	f := &File{Payload: payload}
	return f, f.Add(id, sign)
}

// Add adds a signature.
func (f *File) Add(id keys.ID, sign func(message []byte) ([]byte, error)) error {
	for _, s := range f.Signatures {
		if s.KeyID == id {
			return malformed("key %v signed it already", id)
		}
	}
	value, err := sign(f.Message())
	if err != nil {
		return err
	}
	f.Signatures = append(f.Signatures, Signature{KeyID: id, Value: value})
	return nil
}
