//go:build vmguest

package boottest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// status is what `tbpf status --json` says, as far as it is looked at here.
type status struct {
	Complete bool
	Objects  []struct {
		Name           string
		Version        uint64
		VerifiedBy     string
		Recorded       bool
		KernelVerified bool
		Token          bool
		Maps           []struct{ Name string }
		Signers        []struct{ Subject string }
	}
	Programs, Maps, Links []struct {
		ID     uint32
		Object string
	}
	Notices []string
}

func tbpf(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := exec.Command("/bin/tbpf", args...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

func readStatus(t *testing.T) (s status) {
	t.Helper()
	out, messages, code := tbpf(t, "status", "--json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, messages)
	}
	must(t, json.Unmarshal([]byte(out), &s))
	return s
}

// status lists everything of BPF on the machine. What is not an object's is shown
// as nobody's, an object with its version, its signer and who verified it; and a
// record in which one line was forged is worth nothing.
func TestStatusTellsWhoseEverythingIs(t *testing.T) {
	machine(t)
	object(t, 10, "fileguard-1", "fileguard")
	object(t, 20, "xdpcount-1", "xdpcount")
	boot(t).want(t, 0, true)

	foreign, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "foreign", Type: bpfabi.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	must(t, err)
	defer foreign.Close()
	mapInfo, err := bpfsys.GetMapInfo(foreign)
	must(t, err)
	program, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{Name: "guard_open", Type: bpfabi.ProgramRawTracepoint, License: "GPL",
		Instructions: []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}})
	must(t, err)
	defer program.Close()
	programInfo, err := bpfsys.GetProgramInfo(program)
	must(t, err)
	link, err := bpfsys.OpenRawTracepoint("sched_process_exit", program)
	must(t, err)
	defer link.Close()
	linkInfo, err := bpfsys.GetLinkInfo(link)
	must(t, err)

	s := readStatus(t)
	if !s.Complete || len(s.Objects) != 2 || len(s.Notices) != 0 {
		t.Fatalf("%+v", s)
	}
	by := map[bool]string{true: "kernel", false: "user-space"}[signatures()]
	for i, name := range []string{"fileguard", "xdpcount"} {
		o := s.Objects[i]
		if o.Name != name || o.Version != 1 || o.VerifiedBy != by || o.KernelVerified != signatures() || o.Token != tokens() ||
			!o.Recorded || len(o.Signers) != 1 || o.Signers[0].Subject != "CN=suite" {
			t.Errorf("%+v", o)
		}
	}
	if o := s.Objects[1]; !slices.ContainsFunc(o.Maps, func(m struct{ Name string }) bool { return m.Name == ".bss" }) {
		t.Errorf("the maps of xdpcount are %+v", o.Maps)
	}
	owner := func(list []struct {
		ID     uint32
		Object string
	}, id uint32) string {
		for _, x := range list {
			if x.ID == id {
				return x.Object
			}
		}
		return "not listed"
	}
	if p, m, l := owner(s.Programs, programInfo.ID), owner(s.Maps, mapInfo.ID), owner(s.Links, linkInfo.ID); p != "" || m != "" || l != "" {
		t.Errorf("what is foreign is said to be of %q, %q, %q", p, m, l)
	}
	o := recordOf(t, "fileguard")
	if p, m, l := owner(s.Programs, o.Programs[0].ID), owner(s.Maps, o.Maps[0].ID), owner(s.Links, o.Links[0].ID); p != "fileguard" || m != "fileguard" || l != "fileguard" {
		t.Errorf("what is fileguard's is said to be of %q, %q, %q", p, m, l)
	}
	if out, _, _ := tbpf(t, "status"); !strings.Contains(out, "raw_tracepoint guard_open") || !strings.Contains(out, "CN=suite") {
		t.Errorf("in words: %s", out)
	}

	// A line of the record that claims something else.
	const path = "/run/tbpf/fileguard.record"
	kept := string(read(t, path))
	for _, forged := range [][2]string{
		{"\nverified ", "\nverified kernel\nverified "}, {"\nversion 1\n", "\nversion 9\n"}, {"\nprofile \"", "\nprofile \"x"},
		{"\nprogram ", "\nprogram 1"}, {"\nlink ", "\nlink 1"}, {"\nmap ", "\nmap 1"}, {"\ntoken ", "\ntoken not"},
		{"\nboot \"", "\nboot \"0"}, {"\nend\n", "\n"}, {"\nend\n", "\nend\nsigner x\n"},
	} {
		put(t, path, []byte(strings.Replace(kept, forged[0], forged[1], 1)))
		must(t, os.Chmod(path, 0o600))
		s := readStatus(t)
		if o := s.Objects[0]; o.Recorded || len(o.Signers) != 0 || len(s.Notices) == 0 || o.Version != 1 || o.KernelVerified != signatures() {
			t.Errorf("%q: %+v, notices %q", forged, o, s.Notices)
		}
	}
	// A record that everybody could have written.
	put(t, path, []byte(kept))
	must(t, os.Chmod(path, 0o666))
	if s := readStatus(t); s.Objects[0].Recorded || len(s.Notices) == 0 {
		t.Errorf("a record that everybody can write is taken: %+v", s.Objects[0])
	}
	// A record for what is not the loader's.
	put(t, path, []byte(kept))
	must(t, os.Chmod(path, 0o600))
	must(t, takeDown())
	if s := readStatus(t); len(s.Objects) != 0 || len(s.Notices) == 0 {
		t.Errorf("recorded and gone: %+v", s)
	}
}

// tbpf load goes by the machine's policy and keyring as tbpf-loader does: only if
// root alone could have written them (A23).
func TestLoadTakesOnlyTrustedFilesOfTheMachine(t *testing.T) {
	for what, c := range map[string]struct {
		spoil  func()
		code   int
		reason string
	}{
		"all is well":       {func() {}, 0, ""},
		"a writable policy": {func() { must(t, os.Chmod(policyPath, 0o666)) }, 16, "policy-not-trusted"},
		"a policy that is a link": {func() {
			must(t, os.Rename(policyPath, policyPath+".x"))
			must(t, os.Symlink("policy.toml.x", policyPath))
		}, 16, "policy-not-trusted"},
		"a link that leads nowhere": {func() { must(t, os.Remove(policyPath)); must(t, os.Symlink("/nowhere", policyPath)) }, 16, "policy-not-trusted"},
		"a directory of a user":     {func() { must(t, os.Chown("/etc/tbpf", 1000, 0)) }, 1, ""},
		"a keyring of a user":       {func() { must(t, os.Chown(keyringDir, 1000, 0)) }, 1, ""},
		"a key that all can write":  {func() { must(t, os.Chmod(keyringDir+"/suite.crt", 0o666)) }, 1, ""},
	} {
		t.Run(what, func(t *testing.T) {
			machine(t)
			file := object(t, 10, "ringbuf-1", "ringbuf")
			defer func() { must(t, os.Chown("/etc/tbpf", 0, 0)) }()
			c.spoil()
			// The keyring is not --keyring's: it is the machine's that is meant.
			out, messages, code := tbpf(t, "load", file, "--pin", pinDir, "--json")
			if code != c.code || !strings.Contains(out, c.reason) {
				t.Errorf("exit %d: %s%s", code, out, messages)
			}
			if _, err := os.Stat(pinDir + "/ringbuf"); (err == nil) != (c.code == 0) {
				t.Errorf("in place: %v", err)
			}
		})
	}
}
