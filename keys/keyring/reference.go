package keyring

import (
	"fmt"
	"strconv"
	"strings"
)

// Reference names a kernel keyring. The zero value names none.
type Reference struct {
	id    int32
	name  string
	valid bool
}

// The kernel's numbers for its own keyrings (include/linux/verification.h,
// VERIFY_USE_*; kernel/bpf/verifier.c, bpf_classify_keyring) and for the one
// that 7.4 is expected to have. Other negative numbers are aliases for keyrings
// of whoever asks, and 1 and 2 are no serial numbers.
const (
	idBuiltin   = 0
	idSecondary = 1
	idPlatform  = 2
	idBPF       = -9
)

// System keyrings.
var systemKeyrings = [...]Reference{
	{id: idBuiltin, name: "builtin", valid: true},
	{id: idSecondary, name: "secondary", valid: true},
	{id: idPlatform, name: "platform", valid: true},
	{id: idBPF, name: "bpf", valid: true},
}

// Parse reads "builtin", "secondary", "platform", "bpf" or the serial number of
// a keyring, in decimal, or in hex after 0x. Aliases of the caller's
// own keyrings (negative numbers) are refused: the keyring that decides must be
// the same for everybody.
func Parse(s string) (Reference, error) {
	for _, r := range systemKeyrings {
		if r.name == s {
			return r, nil
		}
	}
	digits, base := s, 10
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		digits, base = hex, 16
	}
	id, err := strconv.ParseInt(digits, base, 32)
	if err != nil || strings.HasPrefix(digits, "+") {
		return Reference{}, fmt.Errorf("kernel keyring %q: neither builtin, secondary, platform or bpf nor a keyring's serial number", s)
	}
	switch {
	case id < 0:
		return Reference{}, fmt.Errorf("kernel keyring %q: it names a keyring of whoever asks; give the keyring's serial number", s)
	case id <= idPlatform:
		return Reference{}, fmt.Errorf("kernel keyring %q: it is no serial number; call the kernel's own keyrings by name", s)
	}
	return Serial(int32(id)), nil
}

// Serial names the keyring with this serial number.
func Serial(id int32) Reference { return Reference{id: id, valid: id > idPlatform} }

// IsZero reports whether r names no keyring.
func (r Reference) IsZero() bool { return !r.valid }

// ID is the number that BPF_PROG_LOAD takes as keyring_id. It is meaningless if
// r names no keyring.
func (r Reference) ID() int32 { return r.id }

// String is what Parse reads.
func (r Reference) String() string {
	switch {
	case !r.valid:
		return "none"
	case r.name != "":
		return r.name
	default:
		return strconv.Itoa(int(r.id))
	}
}
