package corpus

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// Results is what is known of all objects.
type Results struct {
	Kernels  map[string]string `json:"kernels"`  // line to release: "6.1" to "6.1.0-50-cloud-amd64"
	Profiles map[string]string `json:"profiles"` // line to the profile by which it verified all that loaded
	Versions map[string]string `json:"versions"` // of the sources
	Notes    map[string]string `json:"notes"`    // on the sources
	Objects  []Result          `json:"objects"`
}

// Result is what became of one object.
type Result struct {
	Source  string   `json:"source"`
	Name    string   `json:"name"`
	Sealed  bool     `json:"sealed"`
	Refusal string   `json:"refusal,omitempty"` // by sign, in its words
	Kernels Outcomes `json:"kernels,omitempty"` // by line
}

// Outcomes are those of kernels, by line. In JSON kernels with one outcome
// share it: "6.12 6.18".
type Outcomes map[string]Outcome

// MarshalJSON is deterministic.
func (o Outcomes) MarshalJSON() ([]byte, error) {
	lines := make(map[Outcome][]string)
	for line, outcome := range o {
		outcome.Kernel = "" // Results.Profiles has it
		lines[outcome] = append(lines[outcome], line)
	}
	shared := make(map[string]Outcome, len(lines))
	for outcome, on := range lines {
		slices.SortFunc(on, compareLines)
		shared[strings.Join(on, " ")] = outcome
	}
	return json.Marshal(shared)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Outcomes) UnmarshalJSON(text []byte) error {
	var shared map[string]Outcome
	if err := json.Unmarshal(text, &shared); err != nil {
		return err
	}
	*o = make(Outcomes)
	for on, outcome := range shared {
		for line := range strings.FieldsSeq(on) {
			(*o)[line] = outcome
		}
	}
	return nil
}

// Outcome is what one kernel did with an object.
type Outcome struct {
	Sealed string `json:"sealed,omitempty"` // Loaded, or why tbpf did not load it
	Bare   string `json:"bare,omitempty"`   // Loaded, or why cilium/ebpf did not load the bare object
	Libbpf string `json:"libbpf,omitempty"` // the same of libbpf, which is asked if cilium/ebpf did not
	// Skeleton is what became of the loader that bpftool signed for this kernel.
	Skeleton string `json:"skeleton,omitempty"`
	Kernel   string `json:"kernel,omitempty"` // the profile by which the kernel verified the load
}

// Loaded is the outcome of an object that is in the kernel.
const Loaded = "loaded"

// Unattached begins the outcome of an object that the kernel took, and that
// tbpf took out again because a program's target is not on this machine.
const Unattached = "not attached: "

// bare reports whether somebody loads the object unsigned.
func (o Outcome) bare() bool { return o.Bare == Loaded || o.Libbpf == Loaded }

// WithoutOptional begins the outcome of an object of which the kernel took all
// but the programs whose sections begin with "?", which libbpf does not load
// either; behind it stands what became of the whole object.
const WithoutOptional = "loaded without its optional programs: "

// Took reports whether the kernel took the object with all its programs, or
// those that are not optional.
func (o Outcome) Took() bool {
	return o.Sealed == Loaded || strings.HasPrefix(o.Sealed, Unattached) || strings.HasPrefix(o.Sealed, WithoutOptional)
}

// ReadResults reads what WriteResults wrote.
func ReadResults(path string) (*Results, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	r := new(Results)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return r, nil
}

// WriteResults writes one object a line, so that changes can be read.
func WriteResults(path string, r *Results) error {
	var b bytes.Buffer
	for _, part := range []struct {
		name  string
		value map[string]string
	}{{"{\"kernels\": ", r.Kernels}, {",\n\"profiles\": ", r.Profiles}, {",\n\"versions\": ", r.Versions}, {",\n\"notes\": ", r.Notes}} {
		text, err := json.Marshal(part.value)
		if err != nil {
			return err
		}
		b.WriteString(part.name)
		b.Write(text)
	}
	b.WriteString(",\n\"objects\": [")
	for i := range r.Objects {
		text, err := json.Marshal(&r.Objects[i])
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	b.WriteString("\n]}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// find returns the result of an object, or nil.
func (r *Results) find(source, name string) *Result {
	for i := range r.Objects {
		if r.Objects[i].Source == source && r.Objects[i].Name == name {
			return &r.Objects[i]
		}
	}
	return nil
}

// tally counts the objects of one source. By kernel: loaded unsigned, by
// cilium/ebpf or libbpf; of these, loaded sealed, and by bpftool's signed loader;
// loaded sealed though nobody loads them unsigned.
type tally struct {
	objects, sealed                   int
	tried, bare, both, skeleton, more map[string]int
	signed                            map[string]int // by bpftool, or refused by it
}

// compared reports whether bpftool was asked about all objects.
func (t tally) compared(line string) bool {
	return t.signed[line] > 0 && t.signed[line] == t.tried[line]
}

func (r *Results) tally(source string) tally {
	t := tally{signed: make(map[string]int), tried: make(map[string]int), bare: make(map[string]int), both: make(map[string]int), skeleton: make(map[string]int), more: make(map[string]int)}
	for _, o := range r.Objects {
		if o.Source != source {
			continue
		}
		t.objects++
		if o.Sealed {
			t.sealed++
		}
		for kernel, outcome := range o.Kernels {
			t.tried[kernel]++
			if outcome.Skeleton != "" {
				t.signed[kernel]++
			}
			switch {
			case outcome.bare():
				t.bare[kernel]++
				if outcome.Took() {
					t.both[kernel]++
				}
				if outcome.Skeleton == Loaded {
					t.skeleton[kernel]++
				}
			case outcome.Took():
				t.more[kernel]++
			}
		}
	}
	return t
}

// add takes over what another way of loading says.
func (o *Outcome) add(other Outcome) {
	for _, field := range []struct{ to, from *string }{
		{&o.Sealed, &other.Sealed}, {&o.Bare, &other.Bare}, {&o.Libbpf, &other.Libbpf}, {&o.Skeleton, &other.Skeleton}, {&o.Kernel, &other.Kernel},
	} {
		if *field.from != "" {
			*field.to = *field.from
		}
	}
}

// merge takes over what was tried anew: whole sources, or some of their objects.
func (r *Results) merge(now *Results, some bool) {
	for _, part := range []struct{ to, from *map[string]string }{
		{&r.Kernels, &now.Kernels}, {&r.Profiles, &now.Profiles}, {&r.Versions, &now.Versions}, {&r.Notes, &now.Notes},
	} {
		if *part.to == nil {
			*part.to = make(map[string]string)
		}
		maps.Copy(*part.to, *part.from)
	}
	tried := make(map[string]bool) // sources; objects
	for i := range now.Objects {
		o := &now.Objects[i]
		tried[o.Source], tried[o.Source+" "+o.Name] = !some, true
		if before := r.find(o.Source, o.Name); before != nil {
			kernels := maps.Clone(before.Kernels)
			maps.Copy(kernels, o.Kernels)
			o.Kernels = kernels
		}
	}
	kept := slices.DeleteFunc(slices.Clone(r.Objects), func(o Result) bool { return tried[o.Source] || tried[o.Source+" "+o.Name] })
	r.Objects = append(kept, now.Objects...)
	order := []string{Fixtures, Cilium, XDPTools, LibbpfTools, Systemd, Selftests}
	slices.SortStableFunc(r.Objects, func(a, b Result) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Source), slices.Index(order, b.Source)), cmp.Compare(a.Name, b.Name))
	})
}
