//go:build vmguest

package guesttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// tunables is the fixture settings, sealed with tunables of every kind.
const tunables = "tunables"

// bare is a load of the sealed tunables by somebody who skips all of tbpf's
// checks: the context is anything.
type bare struct {
	m        *manifest.Manifest
	payload  kernelload.Payload
	settings kernelload.Settings
}

func newBare(t *testing.T) *bare { return bareOf(t, tunables, nil) }

// bareOf is that of any object.
func bareOf(t *testing.T, name string, set map[string]string) *bare {
	t.Helper()
	profile, signed := profiles[kernel(t)]
	if !signed {
		profile = bpfabi.Bound
	}
	a, m := loaderOf(t, name, profile), manifestOf(t, name)
	b := &bare{m: m, payload: kernelload.Payload{Profile: profile, Instructions: a.instructions, Metadata: a.metadata}}
	if signed {
		b.payload.CMS, b.settings.KeyringID = a.signature, newKeyring(t, "keys/suite.crt")
	}
	values, err := m.TunableValues(set)
	if err != nil {
		t.Fatal(err)
	}
	b.settings.ContextSize, b.settings.Tunables = m.Context, values
	for i := range m.Maps {
		b.settings.Outputs = append(b.settings.Outputs, m.Maps[i].Slot)
	}
	for i := range m.Programs {
		b.settings.Outputs = append(b.settings.Outputs, m.Programs[i].Slot)
		if link := m.Programs[i].Attach.Link; link >= 0 {
			b.settings.Outputs = append(b.settings.Outputs, link)
		}
	}
	return b
}

// at is the bytes of a tunable's value in the context.
func (b *bare) at(t *testing.T, name string) (value []byte, index int) {
	t.Helper()
	i := slices.IndexFunc(b.m.Tunables, func(t manifest.Tunable) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("%s is not declared", name)
	}
	from := b.m.Tunables[i].Context - b.m.Tunables[0].Context
	return b.settings.Tunables[from:][:b.m.Tunables[i].Room()], i
}

// load runs the loader program.
func (b *bare) load() (*kernelload.Result, error) {
	var result *kernelload.Result
	err := kernelload.OnThread(func() (err error) {
		result, err = kernelload.Try(b.payload, b.settings)
		return err
	})
	return result, err
}

// contents are the values of the data sections, and sizes the maps' entries.
func (b *bare) contents(t *testing.T, r *kernelload.Result) (data map[string][]byte, sizes map[string]uint32) {
	t.Helper()
	data, sizes = make(map[string][]byte), make(map[string]uint32)
	for _, m := range b.m.Maps {
		info, err := bpfsys.GetMapInfo(r.FDs[m.Slot])
		if err != nil {
			t.Fatal(err)
		}
		sizes[m.Name] = info.MaxEntries
		if m.Contents == nil {
			continue
		}
		data[m.Name] = make([]byte, m.ValueSize)
		if err := bpfsys.LookupElem(r.FDs[m.Slot], make([]byte, 4), data[m.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return data, sizes
}

func number(n int64) []byte { return binary.NativeEndian.AppendUint64(nil, uint64(n)) }

// A18: what is within the declaration gets into the variable's bytes and into
// no others; what is not ends the load inside the kernel, and leaves nothing.
func TestTunablesAreCheckedInTheKernel(t *testing.T) {
	base := newBare(t)
	r, err := base.load()
	if err != nil {
		t.Fatal(err)
	}
	data, sizes := base.contents(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range fixture.SettingsTries() {
		b := newBare(t)
		value, index := b.at(t, c.Name)
		copy(value, c.Value)
		before := programs(t)
		r, err := b.load()
		if !c.Good {
			var failed *kernelload.Error
			if !errors.As(err, &failed) || failed.Step != kernelload.StepInside || failed.Errno != unix.ERANGE ||
				failed.Stage != loadctx.StageTunable || int(failed.Index) != index {
				t.Errorf("%s = %x: %v", c.Name, c.Value, err)
			}
			if r != nil {
				t.Errorf("%s = %x: loaded", c.Name, c.Value)
			}
			expectNothingNew(t, fmt.Sprintf("%s = %x", c.Name, c.Value), before)
			continue
		}
		if c.Name == fixture.SettingsBroken {
			var failed *kernelload.Error
			if !errors.As(err, &failed) || failed.Errno != unix.EACCES || failed.Stage != loadctx.StageProgram {
				t.Errorf("%s = %x, which only the verifier refuses: %v", c.Name, c.Value, err)
			}
			expectNothingNew(t, fmt.Sprintf("%s = %x", c.Name, c.Value), before)
			continue
		}
		if err != nil {
			t.Errorf("%s = %x: %v", c.Name, c.Value, err)
			continue
		}
		tu := b.m.Tunables[index]
		have, haveSizes := b.contents(t, r)
		for name, want := range data {
			want = slices.Clone(want)
			if name == tu.Map && !tu.IsSize() {
				copy(want[tu.Offset:][:tu.Size], c.Value)
			}
			if !bytes.Equal(have[name], want) {
				t.Errorf("%s = %x: section %s is\n%x, not\n%x", c.Name, c.Value, name, have[name], want)
			}
		}
		for name, want := range sizes {
			if name == tu.Map && tu.IsSize() {
				want = binary.NativeEndian.Uint32(c.Value)
			}
			if haveSizes[name] != want {
				t.Errorf("%s = %x: map %s has %d entries, not %d", c.Name, c.Value, name, haveSizes[name], want)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A context that is shorter than declared does not run; what a longer one has
// more changes nothing.
func TestContextsOfOtherSizes(t *testing.T) {
	base := newBare(t)
	r, err := base.load()
	if err != nil {
		t.Fatal(err)
	}
	data, sizes := base.contents(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, less := range []int{8, len(base.settings.Tunables)} {
		b := newBare(t)
		b.settings.ContextSize -= uint32(less)
		b.settings.Tunables = b.settings.Tunables[:len(b.settings.Tunables)-less]
		_, err := b.load()
		var failed *kernelload.Error
		if !errors.As(err, &failed) || failed.Step != kernelload.StepRun || failed.Errno != unix.EINVAL {
			t.Errorf("%d bytes less: %v", less, err)
		}
	}
	b := newBare(t)
	b.settings.ContextSize += 4096
	b.settings.Tunables = append(b.settings.Tunables, bytes.Repeat([]byte{0xa5}, 4096)...)
	if r, err = b.load(); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	have, haveSizes := b.contents(t, r)
	for name := range data {
		if !bytes.Equal(have[name], data[name]) {
			t.Errorf("section %s is\n%x, not\n%x", name, have[name], data[name])
		}
	}
	for name := range sizes {
		if haveSizes[name] != sizes[name] {
			t.Errorf("map %s has %d entries, not %d", name, haveSizes[name], sizes[name])
		}
	}
}

// program is the loader program, as the kernel took it, not yet run.
func (b *bare) program(t *testing.T) *bpfsys.FD {
	t.Helper()
	spec := kernelload.MetadataSpec(b.payload.Metadata, nil)
	digest := sha256.Sum256(b.payload.Instructions)
	if b.payload.CMS != nil {
		spec.Exclusive = &digest
	}
	meta, err := bpfsys.CreateMap(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer meta.Close()
	if err := errors.Join(bpfsys.UpdateElem(meta, make([]byte, 4), b.payload.Metadata, 0), bpfsys.FreezeMap(meta)); err != nil {
		t.Fatal(err)
	}
	if b.payload.CMS != nil && b.payload.Profile != bpfabi.Bound {
		if _, err := bpfsys.HashMap(meta); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_loader", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "Dual BSD/GPL",
		Instructions: b.payload.Instructions, Maps: []*bpfsys.FD{meta}, Signature: b.payload.CMS, KeyringID: b.settings.KeyringID,
		Bind: b.payload.CMS != nil && b.payload.Profile == bpfabi.Bound,
	})
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A loader program runs once: its metadata are then no longer what was checked,
// and hold the values of the first run. A run that was refused counts.
func TestALoaderProgramRunsOnce(t *testing.T) {
	for what, first := range map[string]int64{"a run": 100, "a refused run": 4194305} {
		b := newBare(t)
		prog := b.program(t)
		defer prog.Close()
		for i, pid := range []int64{first, 200} {
			value, _ := b.at(t, "target_pid")
			copy(value, number(pid))
			ctx := make([]byte, b.m.Context)
			slots := ctx[loadctx.OffSlots:b.m.Tunables[0].Context]
			for j := range slots {
				slots[j] = 0xff
			}
			copy(ctx[b.m.Tunables[0].Context:], b.settings.Tunables)
			got, err := bpfsys.RunSyscallProgram(prog, ctx)
			if err != nil {
				t.Fatal(err)
			}
			want := unix.Errno(0)
			if i > 0 {
				want = unix.EALREADY
			} else if pid > 4194304 {
				want = unix.ERANGE
			}
			if got != -int32(want) {
				t.Errorf("%s, then run %d: %d, want %v", what, i, got, want)
			}
			for ; len(slots) > 0; slots = slots[4:] {
				if n := int32(binary.NativeEndian.Uint32(slots)); n >= 0 {
					_ = unix.Close(int(n))
				}
			}
		}
	}
}

// What a person sees, and what the programs do with it: a constant of a frozen
// section decides what the verifier looks at.
func TestSetOnTheCommandLine(t *testing.T) {
	args := func(pairs ...string) []string {
		a := []string{"--kernel-verify", "if-available", "--pin", pinDir}
		for _, p := range pairs {
			a = append(a, "--set", p)
		}
		return a
	}
	for _, c := range []struct {
		pairs   []string
		code    int
		reason  string
		message string
	}{
		{args("target_pid=4194305"), 16, "tunable-range", `variable "target_pid": "4194305" is not allowed, but -1..4194304`},
		{args("mode=LIST"), 16, "tunable-range", "COUNT|BOTH"},
		{args("counted=1"), 16, "tunable-undeclared", `variable "counted"`},
		{args("limits.weights[2]=1"), 16, "tunable-undeclared", "did not declare"},
		{args("comm=" + strings.Repeat("x", 16)), 16, "tunable-range", "at most 15 bytes"},
		{args("broken=true"), 21, "program-refused", `program "after"`},
		{args("target_pid=1", "comm=none", "mode=BOTH", "slow.max_entries=16", "threshold_ns=5"), 0, "", ""},
	} {
		got, err := load(sealedPath(tunables), c.pairs...)
		if err != nil {
			t.Fatal(err)
		}
		if got.code != c.code || got.Reason != c.reason || !strings.Contains(got.stderr, c.message) {
			t.Errorf("%v: %v", c.pairs, got.answer)
		}
		if got.code != 0 {
			expectGone(t, got)
			continue
		}
		values := make(map[string]string)
		for _, v := range got.Tunables {
			values[v.Name] = v.Value
			if v.Set != slices.Contains(c.pairs, v.Name+"="+v.Value) {
				t.Errorf("%+v", v)
			}
		}
		if len(values) != 11 || values["comm"] != "none" || values["limits.bias"] != "-3" {
			t.Errorf("%v", values)
		}
		for _, m := range got.Maps {
			if m.Name == "slow" && m.MaxEntries != 16 {
				t.Errorf("%+v", m)
			}
		}
		if a, err := tbpf("unload", "--pin", pinDir, tunables); err != nil || a.code != 0 {
			t.Fatalf("unload: %v %v", err, a)
		}
	}
	if _, err := os.Stat(pinDir + "/" + tunables); err == nil {
		t.Error("it is still pinned")
	}
}
