package doctor

import (
	"strconv"
	"strings"
)

// kernelKeyring is a line of /proc/keys about one of the kernel's own keyrings.
type kernelKeyring struct {
	serial int
	name   string
}

// kernelKeyrings finds the kernel's own keyrings in /proc/keys
// (security/keys/proc.c, proc_keys_show). Their names begin with a dot, which
// no process can give a keyring (security/keys/keyctl.c, add_key), and root owns
// them. Lines that are otherwise are somebody else's keys, and are passed over.
func kernelKeyrings(text string) []kernelKeyring {
	var rings []kernelKeyring
	for line := range strings.Lines(text) {
		// serial flags usage timeout permissions uid gid type description
		words := strings.Fields(line)
		if len(words) < 9 || words[7] != "keyring" || words[5] != "0" {
			continue
		}
		name, _, _ := strings.Cut(words[8], ":")
		serial, err := strconv.ParseUint(words[0], 16, 31)
		if err != nil || serial == 0 || !trustAnchor(name) {
			continue
		}
		rings = append(rings, kernelKeyring{int(serial), name})
	}
	return rings
}

// trustAnchor reports whether a keyring is one that signatures of programs are
// checked against, or that such a one links to.
func trustAnchor(name string) bool {
	switch name {
	case ".builtin_trusted_keys", ".secondary_trusted_keys", ".machine", ".platform", ".bpf":
		return true
	}
	return false
}
