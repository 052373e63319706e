package corpus

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A group is what many objects have in common: why sign refused them, or why
// they do not load sealed although they load bare.
type group struct {
	reason  string // names and numbers left out
	example string // with them
	objects []string
}

// quoted and number are what differs between objects with one reason.
var (
	quoted = regexp.MustCompile(`"[^"]*"`)
	number = regexp.MustCompile(`\b(0x[0-9a-f]+|[0-9]+)\b`)
)

// general is a reason without names and numbers.
func general(text string) string {
	return number.ReplaceAllString(quoted.ReplaceAllString(text, `"…"`), "N")
}

// groups sorts reasons, the most frequent first. each yields object and text.
func groups(each func(yield func(object, text string))) []group {
	all := make(map[string]*group)
	each(func(object, text string) {
		reason := general(text)
		if all[reason] == nil {
			all[reason] = &group{reason: reason, example: text}
		}
		if g := all[reason]; !slices.Contains(g.objects, object) {
			g.objects = append(g.objects, object)
		}
	})
	sorted := make([]group, 0, len(all))
	for _, g := range all {
		sorted = append(sorted, *g)
	}
	slices.SortFunc(sorted, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.objects), len(a.objects)), cmp.Compare(a.reason, b.reason))
	})
	return sorted
}

// writeGroups says of a source with many objects only what did not go well.
func (r *Results) writeGroups(b *strings.Builder, source string) {
	objects := slices.DeleteFunc(slices.Clone(r.Objects), func(o Result) bool { return o.Source != source })
	name := func(o *Result) string { return strings.TrimSuffix(o.Name, ".bpf.o") }
	writeGroupList(b, "Not sealed", groups(func(yield func(object, text string)) {
		for i := range objects {
			if o := &objects[i]; !o.Sealed {
				yield(name(o), o.Refusal)
			}
		}
	}))
	for _, line := range r.lines() {
		writeGroupList(b, "Load bare on "+line+", are sealed, and do not load", groups(func(yield func(object, text string)) {
			for i := range objects {
				o := &objects[i]
				if outcome := o.Kernels[line]; o.Sealed && outcome.bare() && !outcome.Took() {
					yield(name(o), outcome.Sealed)
				}
			}
		}))
	}
}

func writeGroupList(b *strings.Builder, title string, all []group) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n", title)
	for _, g := range all {
		text := strings.Join(strings.Fields(g.example), " ")
		if len(g.objects) > 1 {
			text = strings.Join(strings.Fields(g.reason), " ")
		}
		fmt.Fprintf(b, "- %d, %s: %s\n", len(g.objects), text, strings.Join(g.objects, ", "))
	}
}
