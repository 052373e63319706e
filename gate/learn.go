package gate

import (
	"cmp"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/sorted"
)

// maxExe is the length from which on an event's path may have been cut.
const maxExe = 135

// Seen is an executable that loaded programs which nobody signed.
type Seen struct {
	Exe      string // its path; empty if the gate could not tell it whole
	File     FileID
	Loads    int
	Programs []string // their names, sorted
}

// Learn collects from events what an allow list would have to hold: the
// executables whose loads were refused, or would have been, for want of a
// signature. What a program of BPF loaded, and what was signed and wrong, no
// list can allow, and is left out.
func Learn(events []Event) []Seen {
	var list []Seen
	for i := range events {
		e := &events[i]
		if e.Decision == Passed || e.Flags&FromKernel != 0 || !missesSignature(e.Reason) {
			continue
		}
		file := FileID{Inode: e.ExeInode, Device: e.ExeDevice}
		path := e.Exe
		if !strings.HasPrefix(path, "/") || len(path) >= maxExe {
			path = ""
		}
		at := slices.IndexFunc(list, func(s Seen) bool { return s.Exe == path && s.File == file })
		if at < 0 {
			at = len(list)
			list = append(list, Seen{Exe: path, File: file})
		}
		s := &list[at]
		s.Loads++
		if name := e.Name; name != "" && !slices.Contains(s.Programs, name) {
			s.Programs = append(s.Programs, name)
		}
	}
	for i := range list {
		sorted.Strings(list[i].Programs)
	}
	slices.SortStableFunc(list, func(a, b Seen) int { return cmp.Compare(a.Exe, b.Exe) })
	return list
}

func missesSignature(r Reason) bool { return r == ReasonUnsigned || r == ReasonNotLoader }
