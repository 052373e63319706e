package bootset

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// files is a directory of a boot set.
type files map[string]string

func (f files) Names() ([]string, error) { return slices.Sorted(maps.Keys(f)), nil }

func (f files) ReadFile(name string, limit int64) ([]byte, error) {
	if int64(len(f[name])) > limit {
		return nil, errors.New("too large")
	}
	return []byte(f[name]), nil
}

const least = "file = \"/a\"\nname = \"a\"\n"

func TestEveryKeyIsRead(t *testing.T) {
	got, err := Read(files{
		"50-guard.toml": "file = \"/usr/lib/guard.tbpf\"\nseal = \"/usr/lib/guard.seal\"\nname = \"guard\"\nimportance = \"critical\"\nkernel-min = \"6.1\"\n" +
			"kernel-max = \"6.18\"\npin = \"own\"\ntimeout = 600\n[attach]\ncount = \"eth0:egress\"\n" +
			"[set]\ncomm = \"a b\"\nlimit = -7\non = true\n\"events.max_entries\" = 4096\n",
		"60-a.toml": least,
	})
	want := []*Entry{{
		Source: "50-guard.toml", File: "/usr/lib/guard.tbpf", Seal: "/usr/lib/guard.seal", Name: "guard", Importance: Critical,
		KernelMin: "6.1", KernelMax: "6.18", Pin: "own", Timeout: 10 * time.Minute, Attach: map[string]string{"count": "eth0:egress"},
		Set: map[string]string{"comm": "a b", "limit": "-7", "on": "true", "events.max_entries": "4096"},
	}, {Source: "60-a.toml", File: "/a", Name: "a", Importance: Required, Pin: "tbpf", Timeout: 10 * time.Second}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%+v", err, got)
	}
	if got, err := Read(files{}); err != nil || len(got) != 0 {
		t.Errorf("an empty set: %v, %v", got, err)
	}
}

// One wrong file refuses the set.
func TestRefused(t *testing.T) {
	for text, key := range map[string]string{
		"name = \"a\"":                                            "file",
		"file = \"/a\"":                                           "name",
		"file = \"a\"\nname = \"a\"":                              "file",
		"file = \"/a/../b\"\nname = \"a\"":                        "file",
		"file = \"/a\\u0000\"\nname = \"a\"":                      "file",
		"file = 1\nname = \"a\"":                                  "file",
		"file = \"/a\"\nname = \"../a\"":                          "name",
		"file = \"/a\"\nname = \"\"":                              "name",
		least + "seal = \"/a\"":                                   "seal",
		least + "seal = \"x\"":                                    "seal",
		least + "importance = \"Critical\"":                       "importance",
		least + "importance = true":                               "importance",
		least + "kernel-min = \"6\"":                              "kernel-min",
		least + "kernel-min = \"06.1\"":                           "kernel-min",
		least + "kernel-max = \"6.1.2.3\"":                        "kernel-max",
		least + "kernel-min = \"6.2\"\nkernel-max = \"6.1\"":      "kernel-max",
		least + "pin = \"a/b\"":                                   "pin",
		least + "pin = \"..\"":                                    "pin",
		least + "pin = \"a.b\"":                                   "pin",
		least + "timeout = 0":                                     "timeout",
		least + "timeout = 601":                                   "timeout",
		least + "timeout = 1.5":                                   "",
		least + "attach = \"eth0\"":                               "attach",
		least + "[attach]\na = 1":                                 "attach",
		least + "[attach]\na = \"\"":                              "attach",
		least + "set = 1":                                         "set",
		least + "[set]\na = [1]":                                  "set",
		least + "[set]\nevents.max_entries = 1":                   "set",
		least + "[set]\n\"\" = 1":                                 "set",
		least + "[set]\na = \"" + strings.Repeat("x", 257) + "\"": "set",
		least + "File = \"/a\"":                                   `"File"`,
		least + "critical = true":                                 `"critical"`,
		least + least:                                             "",
		"\ufeff" + least:                                          "",
		"file":                                                    "",
	} {
		set, err := Read(files{"10-good.toml": strings.ReplaceAll(least, "name = \"a\"", "name = \"good\""), "20-x.toml": text})
		var e *Error
		if !errors.As(err, &e) || e.File != "20-x.toml" || e.Key != key || set != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"guard.toml", "5-guard.toml", "50_guard.toml", "50-.toml", "50-guard", "50-guard.toml~", ".50-guard.toml.swp", "50-gu ard.toml", "50-guard.TOML", "a0-guard.toml"} {
		if _, err := Read(files{name: least}); err == nil {
			t.Errorf("a file %s is read", name)
		}
	}
	var e *Error
	if _, err := Read(files{"10-a.toml": least, "20-a.toml": least}); !errors.As(err, &e) || e.Key != "name" {
		t.Errorf("one name twice: %v", err)
	}
	many := files{}
	for i := range maxEntries + 1 {
		many["10-"+strings.Repeat("a", i+1)+".toml"] = least
	}
	if _, err := Read(many); !errors.As(err, &e) || !strings.Contains(e.Detail, "more than") {
		t.Errorf("too many: %v", err)
	}
}

func TestKernelRange(t *testing.T) {
	for _, c := range []struct {
		least, most, release string
		want                 bool
	}{
		{"", "", "what", true},
		{"6.12", "", "6.12.107+deb13-cloud-amd64", true},
		{"6.12", "", "6.11.99", false},
		{"6.12", "", "7.0-rc1", true},
		{"6.12.100", "", "6.12.99", false},
		{"6.12.100", "", "6.12.100-1", true},
		{"6.12.100", "", "6.13", true},
		{"6.12.100", "", "6.12-rc1", false},
		{"", "6.18", "6.18.44", true},
		{"", "6.18", "6.19", false},
		{"", "6.18.3", "6.18.4", false},
		{"", "6.18.3", "6.18.3-1", true},
		{"6.1", "6.18", "6.9", true},
		{"6.1", "", "none", false},
		{"", "6.18", "", false},
		{"", "6.18", "6", false},
	} {
		e := &Entry{KernelMin: c.least, KernelMax: c.most}
		if got := e.For(c.release); got != c.want {
			t.Errorf("%s to %s for %s: %v", c.least, c.most, c.release, got)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(least + "[attach]\na = \"b\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEntry("10-a.toml", bytes.Clone(data))
		if (e == nil) == (err == nil) {
			t.Errorf("%v, %v", e, err)
		}
	})
}
