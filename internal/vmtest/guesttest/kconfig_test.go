//go:build vmguest

package guesttest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
)

// facts is the fixture that asks what the kernel is.
const facts = "kconfig"

// told are values for all that it cannot do without.
var told = map[string]string{
	"LINUX_KERNEL_VERSION": "1", "LINUX_HAS_BPF_COOKIE": "true", "CONFIG_BPF_SYSCALL": "true", "CONFIG_NET": "y", "CONFIG_BTRFS_FS": "m",
	"CONFIG_VXLAN": "109", "CONFIG_HZ": "100", "CONFIG_LOG_BUF_SHIFT": "17", "CONFIG_DEFAULT_HOSTNAME": "here", "CONFIG_LSM": "bpf",
}

// A18: whoever runs the loader program can say of the kernel what the types of
// the variables hold, and nothing else: the rest ends inside the kernel.
func TestFactsAreCheckedInTheKernel(t *testing.T) {
	text := func(s string, room int) []byte { return append([]byte(s), make([]byte, room-len(s))...) }
	base := bareOf(t, facts, told)
	r, err := base.load()
	if err != nil {
		t.Fatal(err)
	}
	data, _ := base.contents(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		value []byte
		good  bool
	}{
		{"LINUX_KERNEL_VERSION", number(0), true}, {"LINUX_KERNEL_VERSION", number(1<<32 - 1), true}, {"LINUX_KERNEL_VERSION", number(1 << 32), false}, {"LINUX_KERNEL_VERSION", number(-1), false},
		{"LINUX_HAS_BPF_COOKIE", number(0), true}, {"LINUX_HAS_BPF_COOKIE", number(2), false}, {"LINUX_HAS_SYSCALL_WRAPPER", number(255), true}, {"LINUX_HAS_SYSCALL_WRAPPER", number(256), false},
		{"CONFIG_BPF_SYSCALL", number(0), true}, {"CONFIG_BPF_SYSCALL", number(2), false}, {"CONFIG_BPF_SYSCALL", number(256), false}, {"CONFIG_BPF_SYSCALL", number(-1), false},
		{"CONFIG_BTRFS_FS", number(0), true}, {"CONFIG_BTRFS_FS", number(1), true}, {"CONFIG_BTRFS_FS", number(2), true}, {"CONFIG_BTRFS_FS", number(3), false}, {"CONFIG_BTRFS_FS", number(-1), false}, {"CONFIG_BTRFS_FS", number(2 + 1<<32), false},
		{"CONFIG_VXLAN", number(127), true}, {"CONFIG_VXLAN", number(-128), true}, {"CONFIG_VXLAN", number(128), false}, {"CONFIG_VXLAN", number(-129), false},
		{"CONFIG_HZ", number(-1 << 31), true}, {"CONFIG_HZ", number(1<<31 - 1), true}, {"CONFIG_HZ", number(1 << 31), false}, {"CONFIG_HZ", number(-1<<31 - 1), false},
		{"CONFIG_LOG_BUF_SHIFT", number(1<<15 - 1), true}, {"CONFIG_LOG_BUF_SHIFT", number(1 << 15), false}, {"CONFIG_LOG_BUF_SHIFT", number(-1<<15 - 1), false},
		{"CONFIG_PHYSICAL_START", number(-1), true}, {"CONFIG_PHYSICAL_START", number(0), true},
		{"CONFIG_DEFAULT_HOSTNAME", text("fifteen bytes..", 16), true}, {"CONFIG_DEFAULT_HOSTNAME", text("", 16), true}, {"CONFIG_DEFAULT_HOSTNAME", text("sixteen bytes...", 16), false}, {"CONFIG_DEFAULT_HOSTNAME", text("a\x00b", 16), false},
		{"CONFIG_LSM", text("five.", 8), true}, {"CONFIG_LSM", text("six...", 8), false}, {"CONFIG_LSM", text("a\x00b", 8), false},
		{"CONFIG_TBPF_ABSENT", number(2), false}, {"CONFIG_TBPF_NO_TEXT", text("is here", 8), true},
	} {
		b := bareOf(t, facts, told)
		value, index := b.at(t, c.name)
		copy(value, c.value)
		before := programs(t)
		r, err := b.load()
		if !c.good {
			var failed *kernelload.Error
			if !errors.As(err, &failed) || failed.Step != kernelload.StepInside || failed.Errno != unix.ERANGE || failed.Stage != loadctx.StageTunable || int(failed.Index) != index || r != nil {
				t.Errorf("%s = %x: %v", c.name, c.value, err)
			}
			expectNothingNew(t, fmt.Sprintf("%s = %x", c.name, c.value), before)
			continue
		}
		if err != nil {
			t.Errorf("%s = %x: %v", c.name, c.value, err)
			continue
		}
		have, _ := b.contents(t, r)
		fact, want := b.m.Tunables[index], slices.Clone(data[".kconfig"])
		copy(want[fact.Offset:][:fact.Size], c.value)
		if !bytes.Equal(have[".kconfig"], want) {
			t.Errorf("%s = %x: the map is\n%x, not\n%x", c.name, c.value, have[".kconfig"], want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What tbpf takes for the kernel's features, by its version, is what the kernel's
// own list of symbols says.
func TestFeaturesAreTheKernels(t *testing.T) {
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{" __x64_sys_bpf\n", " bpf_get_attach_cookie_pe\n"} {
		if !bytes.Contains(symbols, []byte(name)) {
			t.Errorf("this kernel has no%s", name)
		}
	}
}

// Where the facts come from: the kernel's configuration, if only root can have
// written it, and what a person sets, within the types.
func TestFactsOnTheCommandLine(t *testing.T) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	config := "/boot/config-" + release
	if _, err := os.Stat(config); err != nil {
		config = "/usr/lib/modules/" + release + "/config"
	}
	whole, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(config, data, 0o644), os.Chmod(config, mode)); err != nil {
			t.Fatal(err)
		}
	}
	defer put(whole, 0o644)
	without := func(line string) []byte { return bytes.Replace(whole, []byte("\n"+line+"\n"), []byte("\n"), 1) }
	everything := []string{}
	for name, value := range told {
		everything = append(everything, "--set", name+"="+value)
	}
	for _, name := range []string{"CONFIG_TBPF_ABSENT=false", "CONFIG_TBPF_NO_MODULE=n", "CONFIG_PHYSICAL_START=0", "CONFIG_TBPF_NO_NUMBER=0", "CONFIG_TBPF_NO_TEXT="} {
		everything = append(everything, "--set", name)
	}
	for _, c := range []struct {
		what    string
		data    []byte
		mode    os.FileMode
		set     []string
		code    int
		reason  string
		message string
		values  string // of CONFIG_HZ, whether it was set
	}{
		{"as it is", whole, 0o644, nil, 0, "", "", "250 false"},
		{"set", whole, 0o644, []string{"--set", "CONFIG_HZ=100"}, 0, "", "", "100 true"},
		{"set beyond its type", whole, 0o644, []string{"--set", "CONFIG_HZ=2147483648"}, 16, "tunable-range", `variable "CONFIG_HZ"`, ""},
		{"set to no state", whole, 0o644, []string{"--set", "CONFIG_BTRFS_FS=2"}, 16, "tunable-range", "n|y|m", ""},
		{"set, and nobody asks", whole, 0o644, []string{"--set", "CONFIG_HZ_250=y"}, 16, "tunable-undeclared", "CONFIG_HZ_250", ""},
		{"weak, set to what the verifier refuses", whole, 0o644, []string{"--set", "CONFIG_TBPF_ABSENT=true"}, 21, "program-refused", `program "ask"`, ""},
		{"without a strong one", without("CONFIG_HZ=250"), 0o644, nil, 23, "kconfig-missing", `variable "CONFIG_HZ"`, ""},
		{"without a strong one, which is set", without("CONFIG_HZ=250"), 0o644, []string{"--set", "CONFIG_HZ=300"}, 0, "", "", "300 true"},
		{"of another type", append(without("CONFIG_HZ=250"), "CONFIG_HZ=\"250\"\n"...), 0o644, nil, 23, "kconfig-type", `variable "CONFIG_HZ"`, ""},
		{"cut short", whole[:len(whole)-1], 0o644, nil, 1, "kconfig-unreadable", "is not whole", ""},
		{"twice", append(slices.Clone(whole), "CONFIG_HZ=100\n"...), 0o644, nil, 1, "kconfig-unreadable", "CONFIG_HZ", ""},
		{"anybody's", whole, 0o666, nil, 1, "kconfig-unreadable", "others than its owner may write to it", ""},
		{"anybody's, and all is set", whole, 0o666, everything, 0, "", "", "100 true"},
		{"none", nil, 0, nil, 23, "kconfig-missing", "no such file or directory", ""},
	} {
		if put(c.data, c.mode); c.data == nil {
			if err := os.Remove(config); err != nil {
				t.Fatal(err)
			}
		}
		before := programs(t)
		got, err := load(sealedPath(facts), append([]string{"--kernel-verify", "if-available", "--pin", pinDir}, c.set...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got.code != c.code || got.Reason != c.reason || !strings.Contains(got.stderr, c.message) {
			t.Errorf("%s: %v", c.what, got.answer)
		}
		if got.code != 0 {
			expectNothingNew(t, c.what, before)
			continue
		}
		for _, v := range got.Tunables {
			if v.Name == "CONFIG_HZ" && (fmt.Sprint(v.Value, " ", v.Set) != c.values || v.Source != "kconfig") {
				t.Errorf("%s: %+v", c.what, v)
			}
		}
		if a, err := tbpf("unload", "--pin", pinDir, facts); err != nil || a.code != 0 {
			t.Fatalf("unload: %v %v", err, a)
		}
		expectGone(t, got)
	}
}
