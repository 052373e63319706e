package manifest

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Kinds of tunables.
const (
	TunableUnsigned = "unsigned" // an integer; max_entries of a map too
	TunableSigned   = "signed"
	TunableBool     = "bool"
	TunableEnum     = "enum"
	TunableString   = "string" // an array of char, with a NUL within it
)

// SizeSuffix follows a map's name in the name of the tunable that is its
// max_entries.
const SizeSuffix = ".max_entries"

// Limits of tunables.
const (
	maxTunables      = 256
	maxChoices       = 64
	MaxTunableString = 256 // bytes of a string's variable, with the NUL
)

// Tunable is one value that a machine may set when it loads the object. The
// loader program takes it from its context, holds it against what is allowed,
// and refuses to go on with anything else.
type Tunable struct {
	Name   string `json:"name"`             // of the variable, with a path into it: "limits[2]", "cfg.depth"; or "events.max_entries"
	Source string `json:"source,omitempty"` // "kconfig": a fact about the kernel, which the loader finds out
	Map    string `json:"map"`              // that holds the variable, or whose size it is
	Kind   string `json:"kind"`             // "unsigned", "signed", "bool", "enum", "string"
	Offset uint32 `json:"offset"`           // of the variable in the map's value; 0 of a size
	Size   uint32 `json:"size"`             // bytes of the variable; 4 of a size
	// Minimum and Maximum are decimal, and there for integers without Choices.
	Minimum string   `json:"minimum,omitempty"`
	Maximum string   `json:"maximum,omitempty"`
	Choices []Choice `json:"choices,omitempty"` // the values that are allowed
	// Default is the value in the object, as --set takes it. Without one the
	// object holds a value that is not allowed, and the machine has to choose.
	Default *string `json:"default,omitempty"`
	Context uint32  `json:"context"` // offset in bytes in the loader programs' context
}

// Choice is one value by its name.
type Choice struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"` // of an enum: decimal; otherwise the name is the value
}

// TunableError says which value cannot be set, and why. Reason is stable.
type TunableError struct {
	Name   string
	Reason string // "tunable-undeclared", "tunable-not-set", "tunable-range"
	Detail string
}

func (e *TunableError) Error() string { return fmt.Sprintf("variable %q: %s", e.Name, e.Detail) }

// IsSize reports whether the tunable is the max_entries of its map.
func (t *Tunable) IsSize() bool { return t.Name == t.Map+SizeSuffix }

// Room is how many bytes the value takes in the context.
func (t *Tunable) Room() uint32 {
	if t.Kind == TunableString {
		return (t.Size + 7) &^ 7
	}
	return 8
}

// Allowed is what may be set, as --tunable takes it: "1..100", "a|b", "" for
// everything that fits the type.
func (t *Tunable) Allowed() string {
	if len(t.Choices) > 0 {
		names := make([]string, len(t.Choices))
		for i, c := range t.Choices {
			names[i] = c.Name
		}
		return strings.Join(names, "|")
	}
	if t.Minimum != "" {
		return t.Minimum + ".." + t.Maximum
	}
	return ""
}

// Words is what may be set, for people.
func (t *Tunable) Words() string {
	switch {
	case t.Kind == TunableBool:
		return "true|false"
	case t.Allowed() == "":
		return fmt.Sprintf("text of at most %d bytes", t.Size-1)
	default:
		return t.Allowed()
	}
}

// Encode returns the bytes of a value in the context, in the machine's byte
// order. The error is a *TunableError.
func (t *Tunable) Encode(value string) ([]byte, error) {
	refuse := func() ([]byte, error) {
		return nil, &TunableError{t.Name, "tunable-range", fmt.Sprintf("%.300q is not allowed, but %s", value, t.Words())}
	}
	if t.Kind == TunableString {
		known := slices.ContainsFunc(t.Choices, func(c Choice) bool { return c.Name == value })
		if len(value) >= int(t.Size) || strings.Contains(value, "\x00") || len(t.Choices) > 0 && !known {
			return refuse()
		}
		b := make([]byte, t.Room())
		copy(b, value)
		return b, nil
	}
	n, ok := t.number(value)
	if !ok {
		return refuse()
	}
	return binary.NativeEndian.AppendUint64(nil, n), nil
}

// number is the value of a text that may be set, extended to 64 bits.
func (t *Tunable) number(text string) (uint64, bool) {
	switch {
	case t.Kind == TunableBool && text == "true":
		return 1, true
	case t.Kind == TunableBool:
		return 0, text == "false"
	case t.Kind == TunableEnum:
		for _, c := range t.Choices {
			if c.Name == text {
				return ParseInteger(c.Value, strings.HasPrefix(c.Value, "-"))
			}
		}
		return 0, false
	}
	n, ok := ParseInteger(text, t.signed())
	if !ok {
		return 0, false
	}
	for _, c := range t.Choices {
		if v, ok := ParseInteger(c.Name, t.signed()); ok && v == n {
			return n, true
		}
	}
	low, ok1 := ParseInteger(t.Minimum, t.signed())
	high, ok2 := ParseInteger(t.Maximum, t.signed())
	return n, ok1 && ok2 && !t.less(n, low) && !t.less(high, n)
}

func (t *Tunable) signed() bool { return t.Kind == TunableSigned }

// less compares two extended values.
func (t *Tunable) less(a, b uint64) bool {
	if t.signed() {
		return int64(a) < int64(b)
	}
	return a < b
}

// ParseInteger reads a decimal number, or a hexadecimal one that begins with
// 0x, extended to 64 bits.
func ParseInteger(text string, signed bool) (uint64, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	} else if len(digits) > 1 && digits[0] == '0' {
		return 0, false // it could be meant as octal
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case err != nil:
		return 0, false
	case !signed:
		return n, !negative
	case negative:
		return -n, n > 0 && n <= 1<<63
	}
	return n, n <= math.MaxInt64
}

// TunableValues encodes the values of all tunables, as the context has them:
// those that are set, and of the others the object's own. It also puts the
// sizes that were set into Maps. The error is a *TunableError.
func (m *Manifest) TunableValues(set map[string]string) ([]byte, error) {
	var all []byte
	found := 0
	for i := range m.Tunables {
		t := &m.Tunables[i]
		value, given := set[t.Name]
		switch {
		case given:
			found++
		case t.Default == nil:
			return nil, &TunableError{t.Name, "tunable-not-set", "it has no default and must be set: " + t.Words()}
		default:
			value = *t.Default
		}
		b, err := t.Encode(value)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
		if t.IsSize() {
			n := uint32(binary.NativeEndian.Uint64(b))
			mp := m.mapNamed(t.Map)
			if strings.HasSuffix(mp.Type, "ringbuf") && (n < 4096 || n&(n-1) != 0) {
				return nil, &TunableError{t.Name, "tunable-range", fmt.Sprintf("%d bytes are no ring buffer: a power of two from 4096 on is", n)}
			}
			mp.MaxEntries = n
		}
	}
	if found == len(set) {
		return all, nil
	}
	undeclared := "" // the first, so that always the same is told
	for name := range set {
		if !slices.ContainsFunc(m.Tunables, func(t Tunable) bool { return t.Name == name }) && (undeclared == "" || name < undeclared) {
			undeclared = name
		}
	}
	return nil, &TunableError{undeclared, "tunable-undeclared", "the signer did not declare it as one that may be set"}
}

func (m *Manifest) mapNamed(name string) *Map {
	for i := range m.Maps {
		if m.Maps[i].Name == name {
			return &m.Maps[i]
		}
	}
	return nil
}

func (t *Tunable) integer() bool { return t.Kind == TunableUnsigned || t.Kind == TunableSigned }

// fits takes an integer in plain digits that the variable can hold.
func (t *Tunable) fits(text string, signed bool) bool {
	n, ok := ParseInteger(text, signed)
	if !ok || text != FormatInteger(n, signed) {
		return false
	}
	unused := 64 - 8*t.Size
	if signed {
		return int64(n<<unused)>>unused == int64(n)
	}
	return n<<unused>>unused == n
}

// FormatInteger is the inverse of ParseInteger, in decimal.
func FormatInteger(n uint64, signed bool) string {
	if signed {
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatUint(n, 10)
}
