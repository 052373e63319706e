package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/strictjson"
)

type document struct {
	Name   string            `json:"name"`
	Size   uint32            `json:"size"`
	Slot   int               `json:"slot,omitempty"`
	On     bool              `json:"on,omitempty"`
	When   *time.Time        `json:"when,omitempty"`
	Child  *document         `json:"child,omitempty"`
	List   []document        `json:"list,omitempty"`
	Words  []string          `json:"words,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Hidden string            `json:"-"`
}

func TestTakesWhatIsPlain(t *testing.T) {
	for _, in := range []string{
		`{"name":"a","size":0}`,
		" \t\r\n{ \"size\" : 4294967295 , \"name\" : \"\" } \n",
		`{"name":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","size":1,"slot":-12,"on":true}`,
		`{"name":"\u00C9\uFFFF\ue000","size":1,"slot":-9223372036854775808}`,
		`{"name":"é😀","size":1,"on":false,"words":[],"list":[{"name":"b","size":2}],"labels":{}}`,
		`{"name":"a","size":1,"when":"2026-01-02T03:04:05Z","child":{"name":"c","size":3},"labels":{"a":"b","c":""}}`,
	} {
		var got, want document
		if err := strictjson.Unmarshal([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if err := json.Unmarshal([]byte(in), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", in, got, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                   ``,
		"white space":               ` `,
		"byte order mark":           "\ufeff" + `{"name":"a","size":1}`,
		"UTF-16":                    "{\x00}\x00",
		"null":                      `null`,
		"an array":                  `[]`,
		"a string":                  `"a"`,
		"trailing brace":            `{"name":"a","size":1}}`,
		"trailing document":         `{"name":"a","size":1} {}`,
		"trailing zero":             `{"name":"a","size":1}` + "\x00",
		"form feed as space":        "{\"name\":\"a\",\f\"size\":1}",
		"comment":                   `{"name":"a","size":1/**/}`,
		"trailing comma":            `{"name":"a","size":1,}`,
		"leading comma":             `{,"name":"a","size":1}`,
		"no comma":                  `{"name":"a" "size":1}`,
		"no colon":                  `{"name" "a","size":1}`,
		"unquoted name":             `{name:"a","size":1}`,
		"single quotes":             `{'name':'a',"size":1}`,
		"unknown field":             `{"name":"a","size":1,"x":1}`,
		"hidden field":              `{"name":"a","size":1,"Hidden":"x"}`,
		"dash field":                `{"name":"a","size":1,"-":"x"}`,
		"other case":                `{"Name":"a","size":1}`,
		"other case besides":        `{"name":"a","size":1,"NAME":"b"}`,
		"long s for s":              `{"name":"a","size":1,"ſize":2}`,
		"duplicate":                 `{"name":"a","size":1,"name":"b"}`,
		"duplicate by escape":       `{"name":"a","size":1,"n\u0061me":"b"}`,
		"duplicate label":           `{"name":"a","size":1,"labels":{"k":"1","k":"2"}}`,
		"label in two cases":        `{"name":"a","size":1,"labels":{"k":"1","K":"2"}}`,
		"label with Kelvin sign":    `{"name":"a","size":1,"labels":{"k":"1","\u212a":"2"}}`,
		"missing":                   `{"name":"a"}`,
		"missing below":             `{"name":"a","size":1,"child":{"name":"c"}}`,
		"missing in a list":         `{"name":"a","size":1,"list":[{}]}`,
		"null text":                 `{"name":null,"size":1}`,
		"null pointer":              `{"name":"a","size":1,"child":null}`,
		"null list":                 `{"name":"a","size":1,"words":null}`,
		"null in a list":            `{"name":"a","size":1,"words":[null]}`,
		"null map":                  `{"name":"a","size":1,"labels":null}`,
		"fraction":                  `{"name":"a","size":1.0}`,
		"exponent":                  `{"name":"a","size":1e0}`,
		"plus":                      `{"name":"a","size":+1}`,
		"leading zero":              `{"name":"a","size":01}`,
		"negative zero":             `{"name":"a","size":1,"slot":-0}`,
		"minus alone":               `{"name":"a","size":1,"slot":-}`,
		"negative for unsigned":     `{"name":"a","size":-1}`,
		"over 32 bits":              `{"name":"a","size":4294967296}`,
		"many digits":               `{"name":"a","size":` + strings.Repeat("1", 1000) + `}`,
		"number as text":            `{"name":"a","size":"1"}`,
		"text as number":            `{"name":1,"size":1}`,
		"boolean as number":         `{"name":"a","size":1,"on":1}`,
		"boolean in another case":   `{"name":"a","size":1,"on":True}`,
		"boolean and more":          `{"name":"a","size":1,"on":truely}`,
		"object for a list":         `{"name":"a","size":1,"words":{}}`,
		"list without end":          `{"name":"a","size":1,"words":["a"`,
		"list with comma at end":    `{"name":"a","size":1,"words":["a",]}`,
		"invalid UTF-8":             "{\"name\":\"\xff\",\"size\":1}",
		"overlong UTF-8":            "{\"name\":\"\xc0\x80\",\"size\":1}",
		"surrogate in UTF-8":        "{\"name\":\"\xed\xa0\x80\",\"size\":1}",
		"lone high surrogate":       `{"name":"\ud800","size":1}`,
		"two low surrogates":        `{"name":"\udc00\udc00","size":1}`,
		"surrogate without escape":  `{"name":"\ud800xxdc00","size":1}`,
		"high surrogate, then BMP":  `{"name":"\ud800\ue000","size":1}`,
		"escape cut by the end":     `{"name":"\u12`,
		"text with one quote":       `{"name":xa","size":1}`,
		"signed over 64 bits":       `{"name":"a","size":1,"slot":9223372036854775808}`,
		"signed under 64 bits":      `{"name":"a","size":1,"slot":-9223372036854775809}`,
		"lone low surrogate":        `{"name":"\udc00","size":1}`,
		"high surrogate, then text": `{"name":"\ud800x","size":1}`,
		"two high surrogates":       `{"name":"\ud800\ud800","size":1}`,
		"control character":         "{\"name\":\"\n\",\"size\":1}",
		"unknown escape":            `{"name":"\x41","size":1}`,
		"short escape":              `{"name":"\u12","size":1}`,
		"escape at the end":         `{"name":"\`,
		"text without end":          `{"name":"a`,
		"time as number":            `{"name":"a","size":1,"when":1}`,
		"no time":                   `{"name":"a","size":1,"when":"yesterday"}`,
		"nesting":                   strings.Repeat(`{"name":"a","size":1,"child":`, 17) + `{"name":"a","size":1}` + strings.Repeat("}", 17),
		"deep nesting":              strings.Repeat(`{"child":`, 1000000),
	} {
		var got document
		if err := strictjson.Unmarshal([]byte(in), &got); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNestingWithinTheLimit(t *testing.T) {
	in := strings.Repeat(`{"name":"a","size":1,"child":`, strictjson.MaxDepth-1) + `{"name":"a","size":1}` + strings.Repeat("}", strictjson.MaxDepth-1)
	if err := strictjson.Unmarshal([]byte(in), new(document)); err != nil {
		t.Error(err)
	}
	list := `{"name":"a","size":1,"list":[` + strings.Repeat(`{"name":"a","size":1,"list":[]},`, 100) + `{"name":"a","size":1}]}`
	if err := strictjson.Unmarshal([]byte(list), new(document)); err != nil {
		t.Errorf("depth is counted across siblings: %v", err)
	}
}

type tree []tree

func TestNestingOfLists(t *testing.T) {
	for depth, ok := range map[int]bool{strictjson.MaxDepth: true, strictjson.MaxDepth + 1: false, 1 << 20: false} {
		in := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if err := strictjson.Unmarshal([]byte(in), new(tree)); (err == nil) != ok {
			t.Errorf("%d lists: %v", depth, err)
		}
	}
}

// An error leaves the value as it was.
func TestAnErrorChangesNothing(t *testing.T) {
	v := document{Name: "before"}
	for _, in := range []string{`{"name":"after","size":1}x`, `{"name":"after","size":4294967296}`, `{"name":"after","size":1,"when":"never"}`} {
		if err := strictjson.Unmarshal([]byte(in), &v); err == nil || v.Name != "before" {
			t.Errorf("%s: %v, %+v", in, err, v)
		}
	}
	v = document{Name: "before", Slot: 7}
	if err := strictjson.Unmarshal([]byte(`{"name":"after","size":1}`), &v); err != nil || v.Slot != 0 {
		t.Errorf("what was there before shows through: %+v, %v", v, err)
	}
	if err := strictjson.Unmarshal([]byte(`{}`), (*document)(nil)); err == nil {
		t.Error("a nil pointer is taken")
	}
}

func TestErrorsSayWhere(t *testing.T) {
	var e *strictjson.Error
	if err := strictjson.Unmarshal([]byte(`{"name":"a","x":1}`), new(document)); !errors.As(err, &e) || e.Offset != 15 {
		t.Errorf("got %v", err)
	}
	if err := strictjson.Unmarshal([]byte(`{"a\u001b[2J`+strings.Repeat("x", 1000)+`":1}`), new(document)); err == nil ||
		strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 200 {
		t.Errorf("an unfit error text: %q", err)
	}
}

func TestUnsupportedTypes(t *testing.T) {
	for _, v := range []any{nil, document{}, new(any), new(float64), new(map[int]string), new([]any)} {
		if err := strictjson.Unmarshal([]byte(`[1]`), v); err == nil {
			t.Errorf("%T is taken", v)
		}
	}
}

// Nothing is built of an input that is refused, and so a small input that
// would become something large is refused first.
func TestRefusingAllocatesLittle(t *testing.T) {
	in := []byte(`{"name":"a","size":1,"list":[` + strings.Repeat("{},", 1<<20) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := strictjson.Unmarshal(in, new(document))
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("taken")
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","size":1,"slot":-2,"on":true,"when":"2026-01-02T03:04:05Z","words":["x"],"labels":{"k":"v"},"list":[{"name":"","size":0}]}`,
		`{"name":"\ud83d\ude00","size":1,"child":{"name":"c","size":3}}`, `{}`, `[`, `{"name":"a","size":1}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var got document
		if strictjson.Unmarshal(in, &got) != nil {
			return
		}
		// What is taken is JSON, and says to others what it says to us.
		var want document
		if err := json.Unmarshal(in, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("encoding/json: %v, %+v; here: %+v", err, want, got)
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if err := strictjson.Unmarshal(out, new(document)); err != nil {
			t.Errorf("written again it is refused: %v", err)
		}
	})
}
