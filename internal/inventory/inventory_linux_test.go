package inventory

import (
	"testing"

	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/loader"
)

const boot, digest, pins = "this boot", "sha256:00", "/sys/fs/bpf/tbpf/guard"

func machine() *Machine {
	return &Machine{
		Objects: []Object{{Directory: pins, Report: loader.Report{
			Name: "guard", Version: 3, Digest: digest, Profile: "bound", KernelVerified: true, Token: true,
			Programs: []loader.ProgramReport{{Name: "open", Type: "lsm", ID: 5, Tag: "0123456789abcdef", LoadTime: 7}},
			Maps:     []loader.MapReport{{Name: "files", Type: "hash", ID: 6}},
			Links:    []loader.LinkReport{{Program: "open", Type: "tracing", ID: 8, ProgramID: 5}},
		}}},
		Programs: []Program{{ID: 1, Type: "lsm", Tag: "0123456789abcdef", LoadTime: 7}, {ID: 5, Type: "lsm", Tag: "0123456789abcdef", LoadTime: 7}},
		Maps:     []Map{{ID: 2, Type: "hash"}, {ID: 6, Type: "hash"}},
		Links:    []Link{{ID: 3, Type: "tracing", ProgramID: 1}, {ID: 8, Type: "tracing", ProgramID: 5}},
	}
}

func recorded() *record.Object {
	return &record.Object{
		Name: "guard", Version: 3, Object: digest, Pins: pins, Boot: boot, Profile: "bound", KernelVerified: true, Token: true,
		Programs: []record.Program{{ID: 5, Tag: "0123456789abcdef", LoadTime: 7, Type: "lsm", Name: "open", Pin: "open"}},
		Maps:     []record.Map{{ID: 6, Type: "hash", Name: "files", Pin: "files"}},
		Links:    []record.Link{{ID: 8, ProgramID: 5, Type: "tracing", Program: "open", Pin: "open"}},
	}
}

func TestOnlyWhatIsPinnedIsAnObjects(t *testing.T) {
	m := machine()
	m.attribute()
	for i, want := range []string{"", "guard"} {
		if m.Programs[i].Object != want || m.Maps[i].Object != want || m.Links[i].Object != want {
			t.Errorf("%d: %+v %+v %+v", i, m.Programs[i], m.Maps[i], m.Links[i])
		}
	}
	for name, change := range map[string]func(*Program){
		"tag": func(p *Program) { p.Tag = "fedcba9876543210" }, "load time": func(p *Program) { p.LoadTime++ },
	} {
		m := machine()
		change(&m.Programs[1])
		if m.attribute(); m.Programs[1].Object != "" {
			t.Errorf("a program with another %s is the object's", name)
		}
	}
}

func TestSectionsHaveTheirNames(t *testing.T) {
	for _, c := range [][3]string{
		{"_bss", "guard.bss", ".bss"}, {"_rodata_str1_1", "gua.rodata.str1.1", ".rodata.str1.1"}, {"files", "files", "files"},
		{"_bss", "other", "_bss"}, {"_data_a_long_one", "guard.data.a_lo", "_data_a_long_one"}, {"a_b", "a.b", "a_b"},
	} {
		if got := mapName(c[0], c[1]); got != c[2] {
			t.Errorf("%s, %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestARecordThatDoesNotFitCountsForNothing(t *testing.T) {
	m := machine()
	if m.match(recorded(), boot); m.Objects[0].Record == nil || len(m.Notices) > 0 {
		t.Fatalf("a record that fits: %v", m.Notices)
	}
	for name, change := range map[string]func(*record.Object){
		"name":      func(r *record.Object) { r.Name = "other" },
		"pins":      func(r *record.Object) { r.Pins += "x" },
		"boot":      func(r *record.Object) { r.Boot = "another" },
		"version":   func(r *record.Object) { r.Version++ },
		"object":    func(r *record.Object) { r.Object = "sha256:11" },
		"profile":   func(r *record.Object) { r.Profile = "selfcheck" },
		"verified":  func(r *record.Object) { r.KernelVerified = false },
		"token":     func(r *record.Object) { r.Token = false },
		"program":   func(r *record.Object) { r.Programs[0].ID = 1 },
		"tag":       func(r *record.Object) { r.Programs[0].Tag = "fedcba9876543210" },
		"load time": func(r *record.Object) { r.Programs[0].LoadTime++ },
		"map":       func(r *record.Object) { r.Maps[0].ID = 2 },
		"link":      func(r *record.Object) { r.Links = nil },
	} {
		m, r := machine(), recorded()
		change(r)
		if m.match(r, boot); m.Objects[0].Record != nil || len(m.Notices) != 1 {
			t.Errorf("%s: taken for the object's, notices %q", name, m.Notices)
		}
	}
}
