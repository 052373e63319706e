package report

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNameLetsNothingThroughThatMovesText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"guard":                    "guard",
		"naïve-日本":                 "naïve-日本",
		`back\slash`:               `back\slash`,
		"line\nbreak":              `"line\nbreak"`,
		"\x1b[31mred":              `"\x1b[31mred"`,
		"\u202egnp.exe":            `"\u202egnp.exe"`,
		"zero\u200bwidth":          `"zero\u200bwidth"`,
		"c1\u009b31m":              `"c1\u009b31m"`,
		"bad\xffutf8":              `"bad\xffutf8"`,
		"nul\x00":                  `"nul\x00"`,
		`say "hi"`:                 `"say \"hi\""`,
		" leading":                 `" leading"`,
		"no\u00a0break":            `"no\u00a0break"`,
		"replacement \ufffd is ok": "replacement \ufffd is ok",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestTextIsOneLine(t *testing.T) {
	got := Text("a\nb\r\x1b]0;title\a \"quoted\" \u202e \xff")
	if want := `a\nb\r\x1b]0;title\a "quoted" \u202e \xff`; got != want {
		t.Errorf("Text = %s, want %s", got, want)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"", "a", "\x1b[0m", "\u2066x\u2069", "\xff\xfe", `"`, `"a"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{Name(s), Text(s)} {
			if !utf8.ValidString(out) {
				t.Fatalf("%q became invalid UTF-8", s)
			}
			for _, r := range out {
				if !strconv.IsPrint(r) {
					t.Fatalf("%q lets %U through", s, r)
				}
			}
		}
		// Two different names never look the same.
		name := Name(s)
		if strings.HasPrefix(name, `"`) {
			if back, err := strconv.Unquote(name); err != nil || back != s {
				t.Fatalf("%q became %s, which reads as %q", s, name, back)
			}
		} else if name != s {
			t.Fatalf("%q became %s without a mark", s, name)
		}
	})
}
