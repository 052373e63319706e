package stricttoml

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// reference is what a general reader of TOML says.
func reference(text string) (map[string]any, error) {
	table := make(map[string]any)
	_, err := toml.Decode(text, &table)
	return table, err
}

// taken are files that are read, and mean what the reference says.
var taken = []string{
	"", "\n", "# nothing", "a = 1", "a = 1\r\nb = 2\r\n", " a\t=\t1 # one\n", "a = -5\nb = +7\nc = 0\n",
	"a = true\nb = false\n", `a = "x\t\"\\\u00e9\U0001F600"`, `a = 'C:\path "q"'`, `a = ""`, "a = ''",
	"a = []", "a = [1, 2]", "a = [\n  1, # one\n  2,\n]\n", `a = ["x", ["y"], {b = 1}]`, "a = [true]\n",
	"a = {}", "a = {b = 1, c = {d = 'x'}}", "a = {b.c = 1, b.d = 2}",
	"[a]\nb = 1\n[c]\n", "[a.b]\nc = 1\n[a]\nd = 2\n", "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n", "[ a . \"b c\" ]\nx = 1\n",
	"a.b = 1\na.c = 2\n", "\"a b\" = 1\n'c' = 2\n1-2_3 = 4\n", "a = \"é\"\n", "a = 9223372036854775807\nb = -9223372036854775808",
	"a = 1 #\ttab", "[a]\nb.c = 1\n[a.d]\n",
}

// refused are files that are not read, although some of them are TOML.
var refused = []string{
	"a", "a =", "= 1", "a = 1 b = 2", "a = 1 2", "a == 1", "a = \"", "a = \"\n\"", "a = \"\\x\"", `a = "\ud800"`, `a = "\u12"`, `a = "\U00110000"`,
	"a = 1\na = 2", "a = 1\n[a]", "[a]\n[a]", "[a]\nb = 1\n[a]", "a.b = 1\n[a]", "a.b = 1\na = 2", "[a]\nb = 1\n[a.b]", "a = {}\n[a.b]", "a = {}\na.b = 1",
	"a = []\n[[a]]", "[[a]]\n[a]", "[a]\n[[a]]", "a = {b = 1, b = 2}", "a = {b = 1,}", "a = {b = 1\n}", "a = [1", "a = [1 2]", "a = [,]", "[a", "[[a]", "[]", "[a]]",
	"a = 1.5", "a = 1979-05-27", "a = 0x10", "a = 1_000", "a = 01", "a = 1e3", "a = inf", "a = --1", "a = +", "a = 9223372036854775808", "a = True", "a = yes",
	"a = \"\"\"x\"\"\"", "a = '''x'''", "a = \"\x01\"", "a = \"\x7f\"", "# \x01", "a = 1 \r", "a\n= 1", "a = 1 # \r\r\n", "\xef\xbb\xbfa = 1", "a = \"\xff\"", "a.b.c = 1\n[a.b]\n", "[a]\nb.c = 1\n[a.b]\n",
	"[a.b]\n[a]\nb.c = 1\n", "[a.b.c]\n[a]\nb.d = 1\n", "a..b = 1", "a. = 1", ".a = 1", "é = 1", "a = {b.c = 1, b = 2}",
	"a = " + strings.Repeat("[", 40) + strings.Repeat("]", 40), "a = " + strings.Repeat("{b=", 40) + "1" + strings.Repeat("}", 40), strings.Repeat("a.", 40) + "a = 1",
}

func TestTakenFilesMeanWhatTOMLSays(t *testing.T) {
	for _, text := range taken {
		want, err := reference(text)
		if err != nil {
			t.Fatalf("%q is no TOML: %v", text, err)
		}
		if got, err := Parse([]byte(text), 1000); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %#v, want %#v", text, err, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range refused {
		var e *Error
		if got, err := Parse([]byte(text), 1000); !errors.As(err, &e) || got != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := Parse([]byte("a = 1"), 4); err == nil {
		t.Error("more bytes than allowed")
	}
	var e *Error
	if _, err := Parse([]byte("a = [\n1,\n2\n]\nb = !\n"), 100); !errors.As(err, &e) || e.Line != 5 {
		t.Errorf("%v", err)
	}
}

// What is read means what the reference says, whatever it is.
func FuzzParse(f *testing.F) {
	for _, text := range append(taken, refused...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse([]byte(text), 1<<16)
		if err != nil {
			return
		}
		want, err := reference(text)
		if err != nil {
			t.Fatalf("%q is taken, and is no TOML: %v", text, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, want %#v", text, got, want)
		}
	})
}
