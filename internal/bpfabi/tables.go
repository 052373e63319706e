package bpfabi

import "fmt"

// nameOf returns table[n], or "what(N)".
func nameOf(table []string, what string, n uint32) string {
	if uint64(n) < uint64(len(table)) {
		return table[n]
	}
	return fmt.Sprintf("%s(%d)", what, n)
}

// numberOf returns the index of name in table.
func numberOf(table []string, what, name string) (uint32, error) {
	for n, s := range table {
		if s == name {
			return uint32(n), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q", what, name)
}
