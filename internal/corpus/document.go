package corpus

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/trustedbpf/tbpf/internal/fixture"
)

// Tally says in a line a source how many objects load bare, and how many of
// these load sealed, on each kernel.
func (r *Results) Tally() string {
	var b strings.Builder
	for _, source := range r.sources() {
		t := r.tally(source)
		fmt.Fprintf(&b, "%s: %d objects, %d sealed", source, t.objects, t.sealed)
		for _, kernel := range r.lines() {
			fmt.Fprintf(&b, "; %s: %d of %d", kernel, t.both[kernel], t.bare[kernel])
			if t.more[kernel] > 0 {
				fmt.Fprintf(&b, " and %d more", t.more[kernel])
			}
			if t.compared(kernel) {
				fmt.Fprintf(&b, ", bpftool %d", t.skeleton[kernel])
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// sources lists the sources in the order of their first objects.
func (r *Results) sources() []string {
	var all []string
	for _, o := range r.Objects {
		if !slices.Contains(all, o.Source) {
			all = append(all, o.Source)
		}
	}
	return all
}

// lines lists the kernel lines, oldest first.
func (r *Results) lines() []string {
	var all []string
	for line := range r.Kernels {
		all = append(all, line)
	}
	slices.SortFunc(all, compareLines)
	return all
}

// compareLines orders kernel lines, oldest first.
func compareLines(a, b string) int {
	newer, err := fixture.Needs{Kernel: b}.Runs(a)
	switch {
	case a == b:
		return 0
	case err == nil && newer:
		return 1
	default:
		return -1
	}
}

const documentHead = `# Which objects load where

What tbpf does with BPF objects on the kernels of its tests: its own fixtures, and objects that nobody wrote for it. Beside each stands
what cilium/ebpf and libbpf do with the bare object on the same kernel, so that one sees what signing costs. That the fixtures also do what they are for is the test of
internal/vmtest.

tbpf attaches each program whose target the object names, cilium/ebpf attaches nothing by itself. "Loads, no target": the kernel took all programs, but a kprobe or
uprobe names a function that this machine has not, so tbpf took them out again. After each load the kernel is empty again, or the test fails.

Made by ` + "`make corpus`" + ` from internal/corpus/testdata/results.json. Do not edit: a test compares them.

`

// Document is docs/compatibility.md.
func Document(r *Results, set *fixture.Set) string {
	var b strings.Builder
	b.WriteString(documentHead)
	r.writeKernels(&b)
	r.writeTally(&b)
	for _, source := range r.sources() {
		r.writeSource(&b, source, set)
	}
	return b.String()
}

func (r *Results) writeKernels(b *strings.Builder) {
	b.WriteString("Kernels: ")
	for i, line := range r.lines() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s (%s", line, r.Kernels[line])
		if profile := r.Profiles[line]; profile != "" {
			fmt.Fprintf(b, ", verified by the kernel: profile %s", profile)
		}
		b.WriteString(")")
	}
	b.WriteString(".\n\n")
}

// signs reports whether there are skeletons of bpftool for a kernel.
func (r *Results) signs(line string) bool {
	return slices.ContainsFunc(r.Objects, func(o Result) bool { return o.Kernels[line].Skeleton != "" })
}

func (r *Results) writeTally(b *strings.Builder) {
	b.WriteString(`"31 of 33": of 33 objects that load bare, by cilium/ebpf or by libbpf, 31 load sealed; "+2": two more load sealed that neither loads. "bpftool": how many of the same
objects load by the light skeleton that bpftool gen skeleton -L -S makes and signs, which of the kernels here only 7.2 and 7.3 take, each that of its own bpftool.

`)
	var signed []string
	for _, line := range r.lines() {
		if r.signs(line) {
			signed = append(signed, line)
		}
	}
	head := append([]string{"source", "objects", "sealed"}, r.lines()...)
	for _, line := range signed {
		head = append(head, "bpftool, "+line)
	}
	writeRow(b, head)
	writeRow(b, slices.Repeat([]string{"---"}, len(head)))
	for _, source := range r.sources() {
		t := r.tally(source)
		row := []string{source, strconv.Itoa(t.objects), strconv.Itoa(t.sealed)}
		for _, line := range r.lines() {
			if t.tried[line] == 0 {
				row = append(row, "not tried")
				continue
			}
			cell := fmt.Sprintf("%d of %d", t.both[line], t.bare[line])
			if t.more[line] > 0 {
				cell += fmt.Sprintf(", +%d", t.more[line])
			}
			row = append(row, cell)
		}
		for _, line := range signed {
			if !t.compared(line) {
				row = append(row, "not tried")
				continue
			}
			row = append(row, fmt.Sprintf("%d of %d", t.skeleton[line], t.bare[line]))
		}
		writeRow(b, row)
	}
}

// titles of the sources' sections.
func title(source, version string) string {
	switch source {
	case Fixtures:
		return "Fixtures of this repository"
	case Cilium:
		return "Tests and examples of cilium/ebpf " + version
	case XDPTools:
		return "Debian's xdp-tools " + version
	case LibbpfTools, Systemd:
		return "Inside the programs of Debian's " + source + " " + version
	case Selftests:
		return "The kernel's selftests, of Debian's linux-source-7.3 " + version
	default:
		return source
	}
}

func (r *Results) writeSource(b *strings.Builder, source string, set *fixture.Set) {
	fmt.Fprintf(b, "\n## %s\n\n", title(source, r.Versions[source]))
	if note := r.Notes[source]; note != "" {
		fmt.Fprintf(b, "%s.\n", note)
	}
	if source == Selftests {
		r.writeGroups(b, source)
		return
	}
	writeRow(b, append([]string{"object", "sealed"}, r.lines()...))
	writeRow(b, slices.Repeat([]string{"---"}, 2+len(r.lines())))
	for _, o := range r.Objects {
		if o.Source != source {
			continue
		}
		row := []string{"`" + o.Name + "`", "yes"}
		if !o.Sealed {
			row[1] = "**no**"
		}
		for _, line := range r.lines() {
			row = append(row, cell(&o, line, set))
		}
		writeRow(b, row)
	}
	notes := r.notes(source)
	if len(notes) == 0 {
		return
	}
	b.WriteString("\nWhat was not sealed or not loaded, and why, in the words of tbpf:\n\n")
	for _, note := range notes {
		fmt.Fprintf(b, "- %s: %s\n", strings.Join(note.objects, ", "), strings.Join(strings.Fields(note.text), " "))
	}
}

// cell says how one object fared on one kernel.
func cell(o *Result, line string, set *fixture.Set) string {
	outcome := o.Kernels[line]
	bare, sealed := outcome.bare(), outcome.Sealed == Loaded
	if !sealed && o.Source == Fixtures {
		f := set.Find(strings.TrimSuffix(o.Name, ".bpf.o"))
		if f != nil && o.Name == f.Name+".bpf.o" {
			if runs, err := f.Needs.Runs(line); err == nil && !runs {
				return "needs " + f.Needs.Kernel
			}
		}
	}
	switch {
	case outcome == Outcome{}:
		return "not tried"
	case strings.HasPrefix(outcome.Sealed, WithoutOptional):
		return "loads without optional programs"
	case !sealed && outcome.Took():
		return "loads, no target"
	case bare && sealed:
		return "loads"
	case sealed:
		return "loads sealed only"
	case !o.Sealed && bare:
		return "bare only"
	case bare:
		return "**bare only**"
	default:
		return "neither"
	}
}

// note is one reason and the objects that it is about.
type note struct {
	text    string
	objects []string
}

// notes gives the reasons of all failures of a source, each once.
func (r *Results) notes(source string) []note {
	var all []note
	add := func(object, text string) {
		for i := range all {
			if all[i].text == text {
				all[i].objects = append(all[i].objects, object)
				return
			}
		}
		all = append(all, note{text, []string{object}})
	}
	for _, o := range r.Objects {
		if o.Source != source {
			continue
		}
		object := "`" + o.Name + "`"
		if !o.Sealed {
			add(object, "**not sealed**: "+o.Refusal)
		}
		for text, lines := range o.reasons(r.lines()) {
			if len(lines) < len(r.lines()) {
				text = "on " + strings.Join(lines, ", ") + ": " + text
			}
			add(object, text)
		}
	}
	return all
}

// reasons yields why a sealed object was not loaded and on which kernels, in
// the order of the kernels.
func (o *Result) reasons(lines []string) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		var texts []string
		on := make(map[string][]string)
		for _, line := range lines {
			text := o.Kernels[line].Sealed
			if !o.Sealed || text == "" || text == Loaded {
				continue
			}
			if on[text] == nil {
				texts = append(texts, text)
			}
			on[text] = append(on[text], line)
		}
		for _, text := range texts {
			if !yield(text, on[text]) {
				return
			}
		}
	}
}

func writeRow(b *strings.Builder, cells []string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}
