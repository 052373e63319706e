package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/trustpath"
)

const (
	bootConfig    = "/boot/config-6.12.117+deb13"
	modulesConfig = "/usr/lib/modules/6.12.117+deb13/config"
)

// debian is a machine with files, of which an empty one cannot be read and one
// of a space is somebody else's.
func debian(files map[string]string) *machine {
	read := func(path string, _ int64) ([]byte, error) {
		switch text, there := files[path]; {
		case !there:
			return nil, &fs.PathError{Op: "open", Path: path, Err: unix.ENOENT}
		case text == "":
			return nil, &fs.PathError{Op: "open", Path: path, Err: unix.EACCES}
		case text == " ":
			return nil, &trustpath.Error{Path: path, Why: "it belongs to user 1000 and not to root"}
		default:
			return []byte(text), nil
		}
	}
	return &machine{release: "6.12.117+deb13", version: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-12)", read: read}
}

// asking is a manifest of strong and weak variables, of which the weak ones are
// named with a question mark.
func asking(names ...string) *manifest.Manifest {
	m := &manifest.Manifest{Tunables: []manifest.Tunable{{Name: "a_setting", Kind: manifest.TunableBool, Size: 1}}}
	for _, name := range names {
		t := manifest.Tunable{Source: manifest.SourceKconfig, Map: manifest.KconfigMap, Kind: manifest.TunableSigned, Size: 4, Minimum: "-2147483648", Maximum: "2147483647"}
		zero := "0"
		if strings.Contains(name, "LINUX_HAS") || strings.Contains(name, "BOOL") {
			t.Kind, t.Size, t.Minimum, t.Maximum, zero = manifest.TunableBool, 1, "", "", "false"
		}
		if rest, weak := strings.CutPrefix(name, "?"); weak {
			name, t.Default = rest, &zero
		}
		t.Name = name
		m.Tunables = append(m.Tunables, t)
	}
	return m
}

// What each variable gets, and what ends the load before anything is made.
func TestFactsAboutTheKernel(t *testing.T) {
	own := func() ([]byte, error) { return []byte("CONFIG_HZ=1000\n"), nil }
	none := func() ([]byte, error) { return nil, fs.ErrNotExist }
	broken := func() ([]byte, error) { return nil, errors.New("no end") }
	const hz = "CONFIG_HZ=250\nCONFIG_BOOL=y\nCONFIG_TEXT=\"text\"\n"
	for _, c := range []struct {
		what   string
		files  map[string]string
		own    func() ([]byte, error)
		m      *manifest.Manifest
		set    map[string]string
		want   string // the defaults of the variables
		reason string
		names  string
	}{
		{"none is asked for", nil, nil, asking(), nil, "", "", ""},
		{"version", nil, nil, asking("LINUX_KERNEL_VERSION"), nil, "396405", "", ""},
		{"features", nil, nil, asking("LINUX_HAS_BPF_COOKIE", "?LINUX_HAS_SYSCALL_WRAPPER", "?LINUX_LATER"), nil, "true true 0", "", ""},
		{"Ubuntu's version", map[string]string{"/proc/version_signature": "Ubuntu 6.12.0-1.1-generic 6.12.3\n"}, nil, asking("LINUX_KERNEL_VERSION"), nil, "396291", "", ""},
		{"Ubuntu's version is not to be read", map[string]string{"/proc/version_signature": ""}, nil, asking("LINUX_KERNEL_VERSION"), nil, "", "kconfig-unreadable", "LINUX_KERNEL_VERSION"},
		{"in /boot", map[string]string{bootConfig: hz}, nil, asking("CONFIG_HZ", "?CONFIG_BOOL", "?CONFIG_ABSENT"), nil, "250 true 0", "", ""},
		{"beside the modules", map[string]string{modulesConfig: hz}, nil, asking("CONFIG_HZ"), nil, "250", "", ""},
		{"/boot is first", map[string]string{bootConfig: hz, modulesConfig: "CONFIG_HZ=100\n"}, nil, asking("CONFIG_HZ"), nil, "250", "", ""},
		{"nowhere", nil, nil, asking("CONFIG_HZ"), nil, "", "kconfig-missing", "CONFIG_HZ"},
		{"the kernel's own", nil, own, asking("CONFIG_HZ"), nil, "1000", "", ""},
		{"the kernel's own, and a file", map[string]string{modulesConfig: hz}, own, asking("CONFIG_HZ"), nil, "250", "", ""},
		{"the kernel's own is broken", nil, broken, asking("?CONFIG_HZ"), nil, "", "kconfig-unreadable", "CONFIG_HZ"},
		{"the kernel has none", nil, none, asking("CONFIG_HZ"), nil, "", "kconfig-missing", "CONFIG_HZ"},
		{"nowhere, and weak", nil, nil, asking("?CONFIG_HZ"), nil, "", "kconfig-missing", "CONFIG_HZ"},
		{"somebody else's", map[string]string{bootConfig: " ", modulesConfig: hz}, own, asking("CONFIG_HZ"), nil, "", "kconfig-unreadable", "CONFIG_HZ"},
		{"not to be read", map[string]string{bootConfig: "", modulesConfig: hz}, nil, asking("CONFIG_HZ"), nil, "", "kconfig-unreadable", "CONFIG_HZ"},
		{"cut short", map[string]string{bootConfig: hz + "CONFIG_MO", modulesConfig: hz}, nil, asking("CONFIG_HZ"), nil, "", "kconfig-unreadable", "CONFIG_HZ"},
		{"absent", map[string]string{bootConfig: hz}, nil, asking("CONFIG_HZ", "CONFIG_ABSENT"), nil, "", "kconfig-missing", "CONFIG_ABSENT"},
		{"a text for a number", map[string]string{bootConfig: hz}, nil, asking("?CONFIG_TEXT"), nil, "", "kconfig-type", "CONFIG_TEXT"},
		{"a number for a bool", map[string]string{bootConfig: "CONFIG_BOOL=1\n"}, nil, asking("?CONFIG_BOOL"), nil, "", "kconfig-type", "CONFIG_BOOL"},
		{"all is set, no file is read", nil, nil, asking("CONFIG_HZ", "?CONFIG_BOOL", "LINUX_KERNEL_VERSION"), map[string]string{"CONFIG_HZ": "100", "CONFIG_BOOL": "true", "LINUX_KERNEL_VERSION": "1"}, "- false -", "", ""},
		{"one is set", map[string]string{bootConfig: hz}, nil, asking("CONFIG_ABSENT", "CONFIG_HZ"), map[string]string{"CONFIG_ABSENT": "7"}, "- 250", "", ""},
	} {
		err := debian(c.files).addFacts(c.m, c.set, c.own)
		if c.reason != "" {
			var refused *Error
			if !errors.As(err, &refused) || refused.Reason != c.reason || refused.Name != c.names || refused.ExitCode() != map[bool]int{true: 1, false: 23}[c.reason == "kconfig-unreadable"] {
				t.Errorf("%s: %v (%+v)", c.what, err, refused)
			}
			continue
		}
		var got []string
		for _, v := range c.m.Tunables[1:] {
			if v.Default == nil {
				got = append(got, "-")
			} else {
				got = append(got, *v.Default)
			}
		}
		if err != nil || strings.Join(got, " ") != c.want || c.m.Tunables[0].Default != nil {
			t.Errorf("%s: %v, want %s (%v)", c.what, got, c.want, err)
		}
	}
}

// What cannot be told of a kernel is not guessed, weak or not.
func TestWhatCannotBeTold(t *testing.T) {
	here := debian(nil)
	here.release, here.version = "next", "#1 SMP"
	if err := here.addFacts(asking("?LINUX_KERNEL_VERSION"), nil, nil); err == nil {
		t.Error("a kernel without a version has one")
	}
	for release, want := range map[string]string{"4.16.3": "false false", "4.19.1": "false true", "5.14.21": "false true", "5.15.0": "true true", "7.3.4": "true true"} {
		m := asking("LINUX_HAS_BPF_COOKIE", "LINUX_HAS_SYSCALL_WRAPPER")
		here.release = release
		if err := here.addFacts(m, nil, nil); err != nil || fmt.Sprint(*m.Tunables[1].Default, " ", *m.Tunables[2].Default) != want {
			t.Errorf("%s: %v %v", release, m.Tunables, err)
		}
	}
}
