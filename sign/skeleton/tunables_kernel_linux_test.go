package skeleton

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/fixture"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// mapsAlone are the maps of the fixture settings and its tunables, without its
// programs: any kernel takes their loader program, also one that loads no tracing program. What
// the whole fixture does on kernels that check signatures is in internal/vmtest/guesttest.
type mapsAlone struct {
	m        manifest.Manifest
	payload  kernelload.Payload
	settings kernelload.Settings
}

func newMapsAlone(t *testing.T) *mapsAlone {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root loads programs")
	}
	o, err := parseObject(settings(t))
	if err != nil {
		t.Fatal(err)
	}
	clear(o.spec.Programs)
	var list []Tunable
	for _, d := range fixture.SettingsTunables() {
		one, err := ParseTunable(d)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	p, err := newPlan(o, Options{Tunables: list})
	if err != nil {
		t.Fatal(err)
	}
	img := newImage(p)
	insns, err := emitLoader(p, img, bpfabi.Bound)
	if err != nil {
		t.Fatal(err)
	}
	l := &mapsAlone{m: describe(p, 1), payload: kernelload.Payload{Profile: bpfabi.Bound, Instructions: insns, Metadata: img.buf}}
	l.settings.ContextSize = l.m.Context
	for i := range l.m.Maps {
		l.settings.Outputs = append(l.settings.Outputs, l.m.Maps[i].Slot)
	}
	if l.settings.Tunables, err = l.m.TunableValues(nil); err != nil {
		t.Fatal(err)
	}
	return l
}

// set puts a value into the context, and says which tunable it is of.
func (l *mapsAlone) set(t *testing.T, name string, value []byte) *manifest.Tunable {
	t.Helper()
	i := slices.IndexFunc(l.m.Tunables, func(t manifest.Tunable) bool { return t.Name == name })
	if i < 0 {
		t.Fatalf("%s is not declared", name)
	}
	room := l.settings.Tunables[l.m.Tunables[i].Context-l.m.Tunables[0].Context:][:l.m.Tunables[i].Room()]
	clear(room)
	copy(room, value)
	return &l.m.Tunables[i]
}

// load runs the loader program and reads what it made: the data sections, and
// each map's number of entries.
func (l *mapsAlone) load(t *testing.T) (data map[string][]byte, entries map[string]uint32, err error) {
	t.Helper()
	var r *kernelload.Result
	err = kernelload.OnThread(func() (err error) {
		r, err = kernelload.Try(l.payload, l.settings)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	data, entries = make(map[string][]byte), make(map[string]uint32)
	for _, m := range l.m.Maps {
		info, err := bpfsys.GetMapInfo(r.FDs[m.Slot])
		if err != nil {
			t.Fatal(err)
		}
		entries[m.Name] = info.MaxEntries
		if m.Name[0] == '.' {
			data[m.Name] = make([]byte, m.ValueSize)
			if err := bpfsys.LookupElem(r.FDs[m.Slot], make([]byte, 4), data[m.Name]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return data, entries, nil
}

func word(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// A18: the edges of what is allowed are, what lies beyond them is not, nor what is
// wider than the variable; and a value changes the bytes of its variable and no others.
func TestTheKernelSetsWhatIsAllowedAlone(t *testing.T) {
	base := newMapsAlone(t)
	before, sizes, err := base.load(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range fixture.SettingsTries() {
		l := newMapsAlone(t)
		tu := l.set(t, c.Name, c.Value)
		data, entries, err := l.load(t)
		if !c.Good {
			failed, ok := errors.AsType[*kernelload.Error](err)
			if !ok || failed.Step != kernelload.StepInside || failed.Errno != unix.ERANGE || failed.Stage != loadctx.StageTunable || l.m.Tunables[failed.Index].Name != c.Name {
				t.Errorf("%s = %x: %v", c.Name, c.Value, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s = %x: %v", c.Name, c.Value, err)
			continue
		}
		for name, want := range before {
			want = bytes.Clone(want)
			if name == tu.Map && !tu.IsSize() {
				copy(want[tu.Offset:][:tu.Size], c.Value)
			}
			if !bytes.Equal(data[name], want) {
				t.Errorf("%s = %x: section %s is\n%x, not\n%x", c.Name, c.Value, name, data[name], want)
			}
		}
		for name, want := range sizes {
			if name == tu.Map && tu.IsSize() {
				want = binary.LittleEndian.Uint32(c.Value)
			}
			if entries[name] != want {
				t.Errorf("%s = %x: map %s has %d entries, not %d", c.Name, c.Value, name, entries[name], want)
			}
		}
	}
}

// A context without the end of the last tunable does not run, and what one has
// beyond it reaches no variable: neither one that was not declared nor one that was.
func TestTheKernelWantsTheWholeContext(t *testing.T) {
	base := newMapsAlone(t)
	before, sizes, err := base.load(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, less := range []int{8, 16, len(base.settings.Tunables)} {
		l := newMapsAlone(t)
		l.settings.ContextSize -= uint32(less)
		l.settings.Tunables = l.settings.Tunables[:len(l.settings.Tunables)-less]
		_, _, err := l.load(t)
		if failed, ok := errors.AsType[*kernelload.Error](err); !ok || failed.Step != kernelload.StepRun || failed.Errno != unix.EINVAL {
			t.Errorf("%d bytes less: %v", less, err)
		}
	}
	for _, more := range []int{8, 4096} {
		l := newMapsAlone(t)
		l.settings.ContextSize += uint32(more)
		l.settings.Tunables = append(l.settings.Tunables, bytes.Repeat([]byte{0xa5}, more)...)
		data, entries, err := l.load(t)
		if err != nil {
			t.Errorf("%d bytes more: %v", more, err)
			continue
		}
		for name := range before {
			if !bytes.Equal(data[name], before[name]) {
				t.Errorf("%d bytes more: section %s is\n%x, not\n%x", more, name, data[name], before[name])
			}
		}
		for name := range sizes {
			if entries[name] != sizes[name] {
				t.Errorf("%d bytes more: map %s has %d entries, not %d", more, name, entries[name], sizes[name])
			}
		}
	}
}

// A loader program runs once, also if the first run was refused: its metadata
// then hold what that run wrote.
func TestTheKernelRunsALoaderOnce(t *testing.T) {
	for what, first := range map[string]int64{"a run": 100, "a refused run": 4194305} {
		l := newMapsAlone(t)
		meta, err := kernelload.MetadataMap(l.payload)
		if err != nil {
			t.Fatal(err)
		}
		defer meta.Close()
		prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
			Name: "tbpf_loader", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "Dual BSD/GPL",
			Instructions: l.payload.Instructions, Maps: []*bpfsys.FD{meta},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer prog.Close()
		for i, pid := range []int64{first, 200} {
			l.set(t, "target_pid", word(pid))
			ctx := make([]byte, l.m.Context)
			slots := ctx[loadctx.OffSlots:l.m.Tunables[0].Context]
			copy(slots, bytes.Repeat([]byte{0xff}, len(slots)))
			copy(ctx[l.m.Tunables[0].Context:], l.settings.Tunables)
			got, err := bpfsys.RunSyscallProgram(prog, ctx)
			if err != nil {
				t.Fatal(err)
			}
			want := unix.Errno(0)
			if i > 0 {
				want = unix.EALREADY
			} else if pid == 4194305 {
				want = unix.ERANGE
			}
			if got != -int32(want) {
				t.Errorf("%s, then run %d: %d, want %v", what, i, got, want)
			}
			for ; len(slots) > 0; slots = slots[4:] {
				if fd := int32(binary.LittleEndian.Uint32(slots)); fd >= 0 {
					_ = unix.Close(int(fd))
				}
			}
		}
	}
}
