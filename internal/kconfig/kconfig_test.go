package kconfig_test

import (
	"math"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/kconfig"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

const file = `#
# Automatically generated file; DO NOT EDIT.
#
CONFIG_CC_VERSION_TEXT="gcc-12 (Debian = 12.2.0)"
CONFIG_HZ=250
# CONFIG_HZ_1000 is not set
CONFIG_NET=y
CONFIG_VXLAN=m
`

func TestFindReadsWhatTheFileSets(t *testing.T) {
	for name, want := range map[string]string{
		"CONFIG_HZ": "250", "CONFIG_HZ_1000": "", "CONFIG_CC_VERSION_TEXT": `"gcc-12 (Debian = 12.2.0)"`, "CONFIG_H": "", "CONFIG_VXLAN": "m", "CONFIG_": "", "": "", "# CONFIG_HZ_1000 is not set": "",
	} {
		if got, err := kconfig.Find([]byte(file), name); err != nil || got != want {
			t.Errorf("%s: %q, not %q (%v)", name, got, want, err)
		}
	}
}

// A file that is not whole is none: what it does not say would be zero.
func TestFindRefusesWhatIsNoConfiguration(t *testing.T) {
	for what, bad := range map[string]string{
		"empty": "", "a line break": "\n", "remarks alone": "# CONFIG_HZ is not set\n", "cut short": strings.TrimSuffix(file, "\n"), "cut in a value": file + "CONFIG_MORE=12",
		"no value": file + "CONFIG_MORE=\n", "no sign": file + "CONFIG_MORE\n", "twice": file + "CONFIG_HZ=100\n", "twice the same": file + "CONFIG_HZ=250\n",
	} {
		if got, err := kconfig.Find([]byte(bad), "CONFIG_HZ"); err == nil {
			t.Errorf("%s: taken, %s", what, got)
		}
	}
}

func variable(kind string, size uint32) *manifest.Tunable {
	v := &manifest.Tunable{Name: "CONFIG_X", Source: manifest.SourceKconfig, Map: manifest.KconfigMap, Kind: kind, Size: size}
	switch kind {
	case manifest.TunableSigned:
		v.Minimum, v.Maximum = manifest.FormatInteger(uint64(int64(math.MinInt64)>>(64-8*size)), true), manifest.FormatInteger(math.MaxInt64>>(64-8*size), true)
	case manifest.TunableUnsigned:
		v.Minimum, v.Maximum = "0", manifest.FormatInteger(math.MaxUint64>>(64-8*size), false)
	case manifest.TunableEnum:
		v.Choices = []manifest.Choice{{Name: "n", Value: "0"}, {Name: "y", Value: "1"}, {Name: "m", Value: "2"}}
	}
	return v
}

// What libbpf puts into a variable, and what it refuses to.
func TestValuesByTypeOfTheVariable(t *testing.T) {
	const none = "refused"
	boolean, char, tristate, text := variable("bool", 1), variable("signed", 1), variable("enum", 4), variable("string", 8)
	virtual := variable("bool", 1)
	virtual.Name = manifest.HasAttachCookie
	u8, s16, u32, s32, u64, s64 := variable("unsigned", 1), variable("signed", 2), variable("unsigned", 4), variable("signed", 4), variable("unsigned", 8), variable("signed", 8)
	for _, c := range []struct {
		v         *manifest.Tunable
		raw, want string
	}{
		{boolean, "y", "true"}, {boolean, "n", "false"}, {boolean, "ny", none}, {boolean, "0", none}, {virtual, "1", "true"}, {virtual, "0", "false"}, {virtual, "2", none}, {virtual, "y", none}, {boolean, "m", none}, {boolean, "1", none}, {boolean, `"y"`, none}, {boolean, "true", none}, {boolean, "yes", none},
		{tristate, "y", "y"}, {tristate, "m", "m"}, {tristate, "n", "n"}, {tristate, "2", none}, {tristate, `"m"`, none},
		{char, "y", "121"}, {char, "m", "109"}, {u8, "n", "110"}, {char, "-1", "-1"}, {char, "127", "127"}, {char, "128", none}, {u8, "255", "255"}, {u8, "-1", none}, {char, `"c"`, none},
		{s32, "y", none}, {s16, "m", none}, {u64, "n", none}, {s32, `"1"`, none}, {text, "1", none}, {text, "y", none},
		{s32, "250", "250"}, {s32, "-250", "-250"}, {s32, "2147483648", none}, {s32, "-2147483649", none}, {s32, "0xffffffff", none}, {u32, "0xffffffff", "4294967295"}, {u32, "0x100000000", none}, {u32, "-1", none},
		{s16, "010", none}, {s16, "0", "0"}, {s16, "00", none}, {s16, "0x", none}, {s16, "0x10", "16"}, {u64, "-1", "18446744073709551615"}, {u64, "0xdffffc0000000000", "16140896666449346560"}, {s64, "0xdffffc0000000000", "-2305847407260205056"}, {s16, "+1", none}, {s16, " 1", none}, {s16, "1 ", none}, {s16, "1_0", none}, {s16, "0b1", none}, {s16, "--1", none}, {s16, "-", none}, {s16, "1\r", none},
		{u64, "18446744073709551615", "18446744073709551615"}, {u64, "18446744073709551616", none}, {s64, "-9223372036854775808", "-9223372036854775808"}, {s64, "0xffffffffffffffff", "-1"}, {s32, "0xffffffffffffffff", "-1"},
		{text, `"(none)"`, "(none)"}, {text, `""`, ""}, {text, `"sevenby"`, "sevenby"}, {text, `"eight by"`, "eight b"}, {text, `"a"b"`, `a"b`}, {text, `"`, none}, {text, `"open`, none}, {text, "\"a\x00b\"", none},
		{variable("string", 1), `"all cut"`, ""},
	} {
		got, ok := kconfig.Value(c.v, c.raw)
		if !ok {
			got = none
		}
		if got != c.want {
			t.Errorf("%s of %d bytes: %q is %q, want %q", c.v.Kind, c.v.Size, c.raw, got, c.want)
		}
	}
}

func TestVersionsOfDistributions(t *testing.T) {
	for _, c := range []struct {
		signature, version, release string
		want                        uint32
	}{
		{"", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)", "6.1.0-50-cloud-amd64", 6<<16 | 1<<8 | 176},
		{"", "#1 SMP PREEMPT_DYNAMIC Debian 7.3.4-1~bpo13+1 (2026-11-15)", "7.3.4+deb13-cloud-amd64", 7<<16 | 3<<8 | 4},
		{"Ubuntu 5.4.0-12.15-generic 5.4.8\n", "#15-Ubuntu SMP", "5.4.0-12-generic", 5<<16 | 4<<8 | 8},
		{"Ubuntu 6.8.0-31.31-generic", "#31-Ubuntu SMP", "6.8.1-31-generic", 6<<16 | 8<<8 | 1},
		{"Ubuntu 6.8.0-31.31-generic none", "#1 Debian none", "6.8.1", 6<<16 | 8<<8 | 1},
		{"", "#1 SMP", "4.19.260", 4<<16 | 19<<8 | 255},
		{"", "#1 SMP", "6.19.0-rc1", 6<<16 | 19<<8},
		{"", "#1 SMP", "6.12", 0}, {"", "", "6.12.", 0}, {"", "", "6..1", 0}, {"", "", "", 0}, {"", "", "a.b.c", 0}, {"", "", "256.1.1", 0}, {"", "", "1.256.1", 0}, {"", "", "-6.1.1", 0}, {"", "", "6.1.123456", 6<<16 | 1<<8 | 255},
	} {
		if got := kconfig.Version(c.signature, c.version, c.release); got != c.want {
			t.Errorf("%q %q %q: %#x, want %#x", c.signature, c.version, c.release, got, c.want)
		}
	}
}

// Whatever a file says, a value is one that the variable may be given, and no
// option gets the value of another.
func FuzzConfigurations(f *testing.F) {
	f.Add(file, "CONFIG_HZ", uint8(3))
	f.Add("CONFIG_HZ=0x10\n", "CONFIG_HZ", uint8(1))
	f.Add("CONFIG_HZ=\"text\"\n", "CONFIG_HZ", uint8(8))
	f.Add("CONFIG_HZ=y\nCONFIG_HZ=n\n", "CONFIG_HZ", uint8(6))
	f.Add("CONFIG_A==\n\n\nCONFIG_B", "CONFIG_A", uint8(7))
	kinds := []*manifest.Tunable{
		variable("signed", 1), variable("unsigned", 2), variable("signed", 4), variable("unsigned", 8), variable("signed", 8),
		variable("unsigned", 1), variable("bool", 1), variable("enum", 4), variable("string", 8), variable("string", 1),
	}
	f.Fuzz(func(t *testing.T, file, name string, kind uint8) {
		found, err := kconfig.Find([]byte(file), name)
		if err != nil || found == "" {
			return
		}
		if !strings.Contains("\n"+file, "\n"+name+"="+found+"\n") {
			t.Fatalf("%q is %q", name, found)
		}
		v := kinds[int(kind)%len(kinds)]
		value, ok := kconfig.Value(v, found)
		if !ok {
			return
		}
		if _, err := v.Encode(value); err != nil {
			t.Errorf("%q: %v", found, err)
		}
	})
}

func FuzzVersion(f *testing.F) {
	f.Add("Ubuntu 5.4.0-12.15-generic 5.4.8", "#1 SMP Debian 6.1.176-1", "6.1.0-50")
	f.Add("", "", "4294967296.1.1")
	f.Fuzz(func(t *testing.T, signature, version, release string) {
		if code := kconfig.Version(signature, version, release); code > 0xffffff {
			t.Errorf("%#x", code)
		}
	})
}
