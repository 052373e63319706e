package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(name, script string) Process {
	return Process{Name: name, Args: []string{"/bin/sh", "-c", script}}
}

func TestEveryContestantRunsOnceARoundAndOnceToWarmUp(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c := Contest{Title: "t", Rounds: 3, Contestants: []Contestant{
		{Process: shell("a", "printf a >>"+log)}, {Process: shell("b", "printf b >>"+log)},
	}}
	results, err := c.Run()
	if err != nil {
		t.Fatal(err)
	}
	order, err := os.ReadFile(log)
	if err != nil || string(order) != "abbaabba" {
		t.Errorf("order %q, %v", order, err)
	}
	if len(results) != 2 || results[0].Name != "a" || results[1].Name != "b" || results[1].Wall <= 0 || results[1].CPU <= 0 {
		t.Errorf("results %+v", results)
	}
}

func TestPrepareRunsBeforeEachRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	p := shell("a", "mkdir "+dir)
	p.Prepare = func() error { return os.RemoveAll(dir) }
	c := Contest{Rounds: 2, Contestants: []Contestant{{Process: p}}}
	if _, err := c.Run(); err != nil {
		t.Error(err)
	}
}

func TestAContestantThatDoesNotRunIsAnError(t *testing.T) {
	c := Contest{Title: "title", Rounds: 1, Contestants: []Contestant{{Process: shell("good", ":")}, {Process: shell("bad", "echo why >&2; exit 3")}}}
	_, err := c.Run()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"title", "bad", "exit status 3", "why"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error without %q: %v", want, err)
		}
	}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	ms := time.Millisecond
	// The machine was busy in the second round, for both.
	ours := []Sample{{2 * ms, ms}, {20 * ms, ms}, {2 * ms, ms}}
	theirs := []Sample{{4 * ms, 2 * ms}, {40 * ms, 2 * ms}, {4 * ms, 2 * ms}}
	r := summarize(ours, theirs)
	if r.WallRatio != 0.5 || r.CPURatio != 0.5 || r.Wall != 4*ms || r.CPU != 2*ms {
		t.Errorf("%+v", r)
	}
}

func TestMissesAreMisses(t *testing.T) {
	for _, c := range []struct {
		r    Result
		want string
	}{
		{Result{WallRatio: 1.21, CPURatio: 1, Aim: 1.2}, "wall 1.20 MISSED"},
		{Result{WallRatio: 1.2, CPURatio: 2, Aim: 1.2}, "wall 1.20 met"},
		{Result{WallRatio: 9, CPURatio: 1.2, Aim: 1.2, AimCPU: true}, "CPU 1.20 met"},
		{Result{WallRatio: 1, CPURatio: 1.3, Aim: 1.2, AimCPU: true}, "CPU 1.20 MISSED"},
		{Result{WallRatio: 9}, "-"},
	} {
		if got := aim(&c.r); got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	c := Contest{Title: "Sign", Memory: true}
	err := writeTable(&b, &c, []Result{
		{Name: "tbpf sign", Wall: 5 * time.Millisecond, CPU: 4 * time.Millisecond, Peak: 3 << 20},
		{Name: "peer", Wall: 10 * time.Millisecond, CPU: 8 * time.Millisecond, WallRatio: 0.5, CPURatio: 0.25, Peak: 1 << 19, Aim: 1},
	})
	want := `
Sign
  wall ms  CPU ms  peak MiB  tbpf/it wall   CPU            aim
     5.00    4.00       3.0                                     tbpf sign
    10.00    8.00       0.5          0.50  0.25  wall 1.00 met  peer
`
	if err != nil || b.String() != want {
		t.Errorf("%v, got\n%s", err, b.String())
	}
}

func TestUnwrapLeavesTheShellOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec /ld --library-path /l /bin/tool  \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := unwrap(path)
	if err != nil || strings.Join(got, " ") != "/ld --library-path /l /bin/tool" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := unwrap("/bin/sh"); err != nil || len(got) != 1 || got[0] != "/bin/sh" {
		t.Errorf("%q, %v", got, err)
	}
}
