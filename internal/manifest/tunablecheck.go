package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// tunablesAt is where the values of tunables begin in the context: behind the
// slots.
func (m *Manifest) tunablesAt() uint32 {
	if len(m.Tunables) == 0 {
		return m.Context
	}
	return m.Tunables[0].Context
}

// checkTunables looks at each, and sees to it that no two share bytes, in the
// context or in a variable, and that no byte of the context is left over.
func (m *Manifest) checkTunables() error {
	if len(m.Tunables) > maxTunables {
		return fmt.Errorf("%d tunables, %d are allowed", len(m.Tunables), maxTunables)
	}
	at := m.tunablesAt()
	if at > m.Context || at%8 != 0 || m.Context-at > loadctx.MaxTunables {
		return fmt.Errorf("tunables at offset %d of a context of %d bytes", at, m.Context)
	}
	for i := range m.Tunables {
		t := &m.Tunables[i]
		if err := m.checkTunable(t); err != nil {
			return err
		}
		if i > 0 && m.Tunables[i-1].Name >= t.Name {
			return fmt.Errorf("tunable %s stands twice or out of order", t.Name)
		}
		if t.Context != at {
			return fmt.Errorf("tunable %s is at offset %d of the context, not %d", t.Name, t.Context, at)
		}
		at += t.Room()
		for j := range i {
			o := &m.Tunables[j]
			if o.Map == t.Map && o.IsSize() == t.IsSize() && o.Offset < t.Offset+t.Size && t.Offset < o.Offset+o.Size {
				return fmt.Errorf("tunables %s and %s share bytes", o.Name, t.Name)
			}
		}
	}
	if at != m.Context {
		return fmt.Errorf("the context has %d bytes behind its tunables", m.Context-at)
	}
	return nil
}

func (m *Manifest) checkTunable(t *Tunable) error {
	if err := checkText("tunable", t.Name, maxName); err != nil {
		return err
	}
	wrong := func(why string) error { return fmt.Errorf("tunable %s %s", t.Name, why) }
	in := m.mapNamed(t.Map)
	switch {
	case in == nil:
		return wrong("is in a map that is not listed")
	case t.IsSize():
		if t.Kind != TunableUnsigned || t.Offset != 0 || t.Size != 4 || in.PerCPU {
			return wrong("is no size of a map")
		}
	case in.Contents == nil || in.Contents.Length != uint64(in.ValueSize) || uint64(t.Offset)+uint64(t.Size) > in.Contents.Length:
		return wrong("does not lie within the contents of its map")
	}
	if (t.Source != "" || t.Map == KconfigMap) && !t.isFact(in) {
		return wrong("is no fact about the kernel")
	}
	switch t.Kind {
	case TunableUnsigned, TunableSigned, TunableEnum:
		if t.Size != 1 && t.Size != 2 && t.Size != 4 && t.Size != 8 {
			return wrong(fmt.Sprintf("has %d bytes", t.Size))
		}
	case TunableBool:
		if t.Size != 1 {
			return wrong(fmt.Sprintf("has %d bytes", t.Size))
		}
	case TunableString:
		if t.Size < 2 && t.Source == "" || t.Size > MaxTunableString {
			return wrong(fmt.Sprintf("has %d bytes", t.Size))
		}
	default:
		return wrong(fmt.Sprintf("is of the unknown kind %q", t.Kind))
	}
	if err := t.CheckAllowed(); err != nil {
		return wrong(err.Error())
	}
	if t.Default != nil {
		return t.CheckDefault()
	}
	return nil
}

// CheckDefault takes a default that may be set.
func (t *Tunable) CheckDefault() error {
	if *t.Default != "" {
		if err := checkText("default of "+t.Name, *t.Default, MaxTunableString); err != nil {
			return err
		}
	}
	if _, err := t.Encode(*t.Default); err != nil || t.integer() && !t.fits(*t.Default, t.signed()) {
		return fmt.Errorf("tunable %s has the default %q, which is not allowed", t.Name, *t.Default)
	}
	return nil
}

// CheckAllowed looks at what may be set.
func (t *Tunable) CheckAllowed() error {
	if len(t.Choices) > maxChoices {
		return fmt.Errorf("has %d choices, %d are allowed", len(t.Choices), maxChoices)
	}
	ranged := t.Minimum != "" || t.Maximum != ""
	if ranged != (t.integer() && len(t.Choices) == 0) || t.Kind == TunableBool && len(t.Choices) > 0 || t.Kind == TunableEnum && len(t.Choices) == 0 {
		return fmt.Errorf("of kind %s has a range or choices that it cannot have, or lacks those that it must have", t.Kind)
	}
	if ranged {
		low, _ := ParseInteger(t.Minimum, t.signed())
		high, _ := ParseInteger(t.Maximum, t.signed())
		if !t.fits(t.Minimum, t.signed()) || !t.fits(t.Maximum, t.signed()) || t.less(high, low) || t.IsSize() && low == 0 {
			return fmt.Errorf("has the range %s..%s", t.Minimum, t.Maximum)
		}
	}
	for i, c := range t.Choices {
		if err := checkText("choice", c.Name, MaxTunableString); err != nil {
			return err
		}
		if slices.ContainsFunc(t.Choices[:i], func(o Choice) bool { return o.Name == c.Name }) {
			return fmt.Errorf("has the choice %q twice", c.Name)
		}
		good := c.Value == ""
		switch {
		case t.Kind == TunableEnum:
			good = t.fits(c.Value, strings.HasPrefix(c.Value, "-"))
		case t.Kind == TunableString:
			good = good && len(c.Name) < int(t.Size)
		default:
			good = good && t.fits(c.Name, t.signed()) && !(t.IsSize() && c.Name == "0")
		}
		if !good || strings.Contains(c.Name, "|") {
			return fmt.Errorf("has the choice %q, which its type does not have", c.Name)
		}
	}
	return nil
}
