package loader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// PinName is the name of the file in a bpffs under which Load pins something of
// this name.
func PinName(name string) (string, error) { return pinName(name) }

// pinName is the file name of something in a bpffs, where dots are reserved
// (kernel/bpf/inode.c, bpf_lookup): they become underscores, as libbpf has it.
func pinName(name string) (string, error) {
	if name == "" || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("%q is no name of a file", name)
	}
	return strings.ReplaceAll(name, ".", "_"), nil
}

// Directories and the mark beneath an object's directory.
const (
	programsDir = "programs"
	mapsDir     = "maps"
	linksDir    = "links"
	markName    = "tbpf" // a symbolic link that says what the directory is
)

// pinSubdirs are the directories in the order in which they are emptied: links
// first, so that nothing runs while the rest goes.
func pinSubdirs() []string { return []string{linksDir, programsDir, mapsDir} }

// mark is what the kernel does not know of an object that is pinned. It is kept
// as the target of a symbolic link, the one thing in a bpffs that can hold text.
type mark struct {
	name           string
	version        uint64
	digest         string
	profile        string
	kernelVerified bool
	token          bool
}

// markFormat begins every mark.
const markFormat = "tbpf-object/1"

func (m mark) String() string {
	return fmt.Sprintf("%s version=%d digest=%s profile=%s verified=%t token=%t name=%q",
		markFormat, m.version, m.digest, m.profile, m.kernelVerified, m.token, m.name)
}

// parseMark is the inverse of String, and takes nothing else.
func parseMark(s string) (mark, error) {
	var m mark
	fields := strings.SplitN(s, " ", 7)
	for i, key := range []string{markFormat, "version=", "digest=", "profile=", "verified=", "token=", "name="} {
		if i >= len(fields) || !strings.HasPrefix(fields[i], key) {
			return mark{}, errNoMark
		}
		fields[i] = strings.TrimPrefix(fields[i], key)
	}
	var version, name error
	m.version, version = strconv.ParseUint(fields[1], 10, 64)
	m.digest, m.profile, m.kernelVerified, m.token = fields[2], fields[3], fields[4] == "true", fields[5] == "true"
	m.name, name = strconv.Unquote(fields[6])
	if version != nil || name != nil || m.String() != s {
		return mark{}, errNoMark
	}
	return m, nil
}

var errNoMark = errors.New("it is no directory of tbpf's")
