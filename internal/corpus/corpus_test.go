package corpus

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/vmtest"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// With -update the recorded results and the document are made anew, which
// takes all sources in the cache and all kernels; -sources and -kernels make a
// part of them anew.
var (
	update  = flag.Bool("update", false, "write testdata/results.json and docs/compatibility.md")
	sources = flag.String("sources", "", "with -update: these sources alone, separated by commas")
	kernels = flag.String("kernels", "", "with -update: these kernels alone, separated by commas")
	objects = flag.String("objects", "", "only objects whose names match this regular expression")
	changed = flag.Bool("changed", false, "with -update: only the objects that sign takes or refuses otherwise than recorded")
)

const (
	resultsPath  = "testdata/results.json"
	documentPath = "../../docs/compatibility.md"
	testdata     = "../../testdata"
)

// asked reports whether a list names something; an empty one names all.
func asked(list, name string) bool {
	return !*update || list == "" || slices.Contains(strings.Split(list, ","), name)
}

// partial reports whether not all objects of the sources are tried.
func partial() bool { return *changed || *objects != "" }

// lines are the kernels to try.
func lines() []vmtest.Kernel {
	return slices.DeleteFunc(vmtest.Kernels(), func(k vmtest.Kernel) bool { return !asked(*kernels, string(k)) })
}

// found is every source that is on this machine.
func found(t *testing.T) []*Source {
	t.Helper()
	cache, err := vmtest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	finders := []struct {
		name, remedy string
		find         func() (*Source, error)
	}{
		{Fixtures, "", func() (*Source, error) { return FindFixtures(testdata) }},
		{Cilium, "", func() (*Source, error) { return FindCilium(t.Context()) }},
		{XDPTools, "scripts/install-tools xdp-tools", func() (*Source, error) { return FindXDPTools(cache) }},
	}
	if *update { // what stands inside programs, and the selftests, are tried by make corpus alone
		for _, name := range []string{LibbpfTools, Systemd} {
			finders = append(finders, struct {
				name, remedy string
				find         func() (*Source, error)
			}{name, "scripts/install-tools " + name, func() (*Source, error) {
				return FindEmbedded(name, filepath.Join(cache, "tools", name), t.TempDir())
			}})
		}
		finders = append(finders, struct {
			name, remedy string
			find         func() (*Source, error)
		}{Selftests, "scripts/fetch-selftests", func() (*Source, error) { return FindSelftests(cache) }})
	}
	var all []*Source
	for _, f := range finders {
		if !asked(*sources, f.name) {
			continue
		}
		source, err := f.find()
		switch {
		case err == nil:
			all = append(all, source)
		case errors.Is(err, os.ErrNotExist) && f.remedy != "" && os.Getenv("CI") == "" && !*update:
			t.Logf("without %s: %v: run %s", f.name, err, f.remedy)
		default:
			t.Fatalf("%v: run %s", err, f.remedy)
		}
	}
	return all
}

// kernelTypes are those that struct_ops maps are made for. The image of 6.1 is
// packed in a way for which there is no program, and it has no links for them.
func kernelTypes(t *testing.T) []*skeleton.KernelTypes {
	t.Helper()
	var all []*skeleton.KernelTypes
	for _, kernel := range vmtest.Kernels()[1:] {
		vmtest.Require(t, kernel)
		raw, err := KernelTypes(t.Context(), kernel)
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
			t.Skipf("%v: run scripts/install-tools zstd", err)
		} else if err != nil {
			t.Fatal(err)
		}
		types, err := skeleton.ParseKernelTypes(raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, types)
	}
	return all
}

// run is the objects of this machine, sealed.
type run struct {
	mutex      sync.Mutex // of results: kernels run side by side
	results    Results
	sealer     *Sealer
	candidates []*Candidate
	paths      []string // of the candidates
}

func sealAll(t *testing.T, sources []*Source) *run {
	t.Helper()
	sealer, err := NewSealer()
	if err != nil {
		t.Fatal(err)
	}
	sealer.KernelTypes = kernelTypes(t)
	wanted, err := regexp.Compile(*objects)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{
		results: Results{
			Kernels: make(map[string]string), Profiles: make(map[string]string), Versions: make(map[string]string), Notes: make(map[string]string),
		},
		sealer: sealer,
	}
	for _, source := range sources {
		if source.Version != "" {
			r.results.Versions[source.Name] = source.Version
		}
		if source.Note != "" {
			r.results.Notes[source.Name] = source.Note
		}
		for _, o := range source.Objects {
			if !wanted.MatchString(o.Name) {
				continue
			}
			object, err := os.ReadFile(o.Path)
			if err != nil {
				t.Fatal(err)
			}
			sealed, without, refusal, err := sealer.Seal(o.Name, object)
			if err != nil {
				t.Errorf("%s %s: %v", o.Source, o.Name, err)
				continue
			}
			r.candidates = append(r.candidates, &Candidate{Object: object, Sealed: sealed, Without: without})
			r.paths = append(r.paths, o.Path)
			r.results.Objects = append(r.results.Objects, Result{
				Source: o.Source, Name: o.Name, Sealed: refusal == "", Refusal: refusal, Kernels: make(Outcomes),
			})
		}
	}
	return r
}

// TestForeignObjectsAreSealedOrRefusedAsDocumented needs no kernel but its
// types: what sign does with an object is the same on every machine.
func TestForeignObjectsAreSealedOrRefusedAsDocumented(t *testing.T) {
	if *update {
		t.Skip("the results are being made anew")
	}
	recorded, err := ReadResults(resultsPath)
	if err != nil {
		t.Fatal(err)
	}
	now := sealAll(t, found(t))
	for _, have := range now.results.Objects {
		if !sameVersion(recorded, &now.results, have.Source) {
			continue
		}
		want := recorded.find(have.Source, have.Name)
		if want == nil {
			t.Errorf("%s %s: not in %s: run make corpus", have.Source, have.Name, resultsPath)
		} else if have.Sealed != want.Sealed || have.Refusal != want.Refusal {
			t.Errorf("%s %s: sealed %v (%s), recorded %v (%s)", have.Source, have.Name, have.Sealed, have.Refusal, want.Sealed, want.Refusal)
		}
	}
}

// TestWhatLoadsBareLoadsSealed boots every kernel and loads everything.
// With -update it also loads all objects bare, and by the loaders that bpftool
// signs for 7.2 and 7.3, and whatever loads bare must load sealed.
func TestWhatLoadsBareLoadsSealed(t *testing.T) {
	for _, kernel := range lines() {
		vmtest.Require(t, kernel)
	}
	guest := filepath.Join(t.TempDir(), "guest")
	if err := vmtest.Build(t.Context(), guest, "github.com/trustedbpf/tbpf/internal/corpus/guest"); err != nil {
		t.Fatal(err)
	}
	r := sealAll(t, found(t))
	recorded, err := ReadResults(resultsPath)
	if err != nil {
		t.Fatal(err)
	}
	if *update && *changed {
		r.keepChanged(recorded)
	}
	t.Run("kernels", func(t *testing.T) { r.loadAll(t, guest, recorded) })
	if *update {
		recorded.merge(&r.results, partial())
		if err := WriteResults(resultsPath, recorded); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("objects that load bare, and of these sealed:\n%s", recorded.Tally())
}

// keepChanged leaves out what is as it was recorded.
func (r *run) keepChanged(recorded *Results) {
	var objects []Result
	var candidates []*Candidate
	var paths []string
	for i, o := range r.results.Objects {
		if was := recorded.find(o.Source, o.Name); was == nil || was.Sealed != o.Sealed || was.Refusal != o.Refusal {
			objects, candidates, paths = append(objects, o), append(candidates, r.candidates[i]), append(paths, r.paths[i])
		}
	}
	r.results.Objects, r.candidates, r.paths = objects, candidates, paths
}

// loadAll boots the kernels side by side and returns when all are done.
func (r *run) loadAll(t *testing.T, guest string, recorded *Results) {
	for _, kernel := range lines() {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			r.load(t, guest, kernel)
			r.mutex.Lock()
			defer r.mutex.Unlock()
			against := recorded
			if *update {
				against = &r.results
			}
			if asked(*sources, Fixtures) && !partial() {
				checkFails(t, &r.results, kernel)
			}
			for i := range r.results.Objects {
				if o := &r.results.Objects[i]; sameVersion(against, &r.results, o.Source) {
					checkLoad(t, against, o, kernel)
				}
			}
		})
	}
}

// load lets one kernel try all objects.
func (r *run) load(t *testing.T, guest string, kernel vmtest.Kernel) {
	m := Machine{Kernel: kernel, Guest: guest, Sealer: r.sealer, Timeout: 30 * time.Minute}
	candidates, most := r.candidates, len(r.candidates)
	if *update {
		candidates, most, m.Timeout = r.compared(t, &m), 100, time.Hour
		m.Progress = func(done int) { t.Logf("%s: %d of %d objects", kernel, done, len(candidates)) }
	}
	release, all, err := m.Try(t.Context(), candidates, most)
	if err != nil {
		t.Error(err)
	}
	if release == "" {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.results.Kernels[string(kernel)] = release
	if profile := verifies[kernel]; profile != "" {
		r.results.Profiles[string(kernel)] = profile
	}
	checkIdentities(t, r.results.Objects, all)
	for i, tried := range all {
		r.results.Objects[i].Kernels[string(kernel)] = tried.Outcome
	}
}

// compared adds what objects are compared with: bare ones, and the skeletons of
// the bpftool that signs for this kernel.
func (r *run) compared(t *testing.T, m *Machine) []*Candidate {
	t.Helper()
	cache, err := vmtest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	m.BpftoolRoot = filepath.Join(cache, "tools", "bpftool")
	tool := map[vmtest.Kernel]string{"7.2": "bpftool-7.2", "7.3": "bpftool"}[m.Kernel]
	if tool == "" {
		return r.candidates
	}
	m.Bpftool, err = NewBpftool(filepath.Join(cache, "bin", tool), t.TempDir(), m.Kernel == "7.3")
	if err != nil {
		t.Fatal(err)
	}
	var all []*Candidate
	for i, c := range r.candidates {
		with := *c
		var refusal string
		if with.Skeleton, refusal, err = m.Bpftool.Sign(t.Context(), r.paths[i]); err != nil {
			t.Fatalf("%s: %v", r.paths[i], err)
		}
		with.SkeletonRefusal = refusal
		all = append(all, &with)
	}
	return all
}

// checkLoad compares what a kernel did with a sealed object with what is
// recorded of the bare and the sealed one.
func checkLoad(t *testing.T, recorded *Results, have *Result, kernel vmtest.Kernel) {
	t.Helper()
	line := string(kernel)
	outcome := have.Kernels[line]
	if want := verifies[kernel]; outcome.Sealed == Loaded && outcome.Kernel != want {
		t.Errorf("%s %s: the kernel verified by %q, should by %q", have.Source, have.Name, outcome.Kernel, want)
	}
	want := recorded.find(have.Source, have.Name)
	if want == nil || !have.Sealed {
		return // TestForeignObjectsAreSealedOrRefusedAsDocumented has said it
	}
	before := want.Kernels[line]
	if before.bare() && !outcome.Took() && !strings.HasPrefix(outcome.Sealed, "unsupported: ") {
		report := t.Errorf
		if *update {
			report = t.Logf // it goes into the document; what CI tries must be free of it
		}
		report("%s %s: loads bare, but not sealed: %s", have.Source, have.Name, outcome.Sealed)
	}
	if before.Took() != outcome.Took() {
		t.Errorf("%s %s: %s; recorded is %s: run make corpus", have.Source, have.Name, outcome.Sealed, before.Sealed)
	}
}

// verifies names the signing contracts of the kernels that have one.
var verifies = map[vmtest.Kernel]string{"6.18": "selfcheck", "7.2": "selfcheck-excl", "7.3": "bound"}

// checkFails holds the objects of testdata/fails against their table: the
// right verdict, and the name of what is to blame.
func checkFails(t *testing.T, now *Results, kernel vmtest.Kernel) {
	t.Helper()
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[int]string{1: "error: ", 21: "verifier-refused: ", 23: "unsupported: "}
	for i := range set.Fails {
		f := &set.Fails[i]
		r := now.find(Fixtures, "fails/"+f.Name+".bpf.o")
		if r == nil {
			t.Errorf("fails/%s was not tried", f.Name)
			continue
		}
		outcome := r.Kernels[string(kernel)].Sealed
		if !strings.HasPrefix(outcome, verdicts[f.ExitCode]) || !strings.Contains(outcome, f.Names) {
			t.Errorf("fails/%s: %s; want %q and the name %q", f.Name, outcome, verdicts[f.ExitCode], f.Names)
		}
	}
}

// sameVersion reports whether the recorded results are of the same objects.
func sameVersion(recorded, now *Results, source string) bool {
	return recorded.Versions[source] == now.Versions[source]
}

// TestDocumentIsThatOfTheResults keeps docs/compatibility.md from drifting. It
// stands behind the test that makes the results, so that with -update it writes
// what follows from the new ones.
func TestDocumentIsThatOfTheResults(t *testing.T) {
	results, err := ReadResults(resultsPath)
	if err != nil {
		t.Fatal(err)
	}
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	want := Document(results, set)
	if *update {
		if err := os.WriteFile(documentPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what %s gives: run make corpus", documentPath, resultsPath)
	}
}

// TestRefusedFixturesNameWhatIsToBlame: what tbpf cannot sign it refuses by
// name, and leaves nothing of it out.
func TestRefusedFixturesNameWhatIsToBlame(t *testing.T) {
	set, err := fixture.Load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := NewSealer()
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Refused {
		r := &set.Refused[i]
		object, err := os.ReadFile(set.RefusedObject(r))
		if err != nil {
			t.Fatal(err)
		}
		_, _, refusal, err := sealer.Seal(r.Name, object)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
		} else if refusal == "" {
			t.Errorf("%s was signed", r.Name)
		} else if !strings.Contains(refusal, `"`+r.Names+`"`) {
			t.Errorf("%s: %s; does not name %q", r.Name, refusal, r.Names)
		}
	}
}
