package report

import (
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestGlobalsAreReadAsTheirTypes(t *testing.T) {
	for _, c := range []struct {
		global manifest.Global
		order  string
		want   string
	}{
		{manifest.Global{Type: "int", Size: 4, Value: "ffffffff"}, "little", "= -1"},
		{manifest.Global{Type: "__u32", Size: 4, Value: "ffffffff"}, "little", "= 4294967295"},
		{manifest.Global{Type: "const volatile __u16", Size: 2, Value: "ffff"}, "little", "= 65535"},
		{manifest.Global{Type: "unsigned long", Size: 8, Value: "0100000000000000"}, "little", "= 1"},
		{manifest.Global{Type: "__u16", Size: 2, Value: "0100"}, "big", "= 256"},
		{manifest.Global{Type: "char[4]", Size: 4, Value: "61626300"}, "little", "= 61626300"},
		{manifest.Global{Type: "struct pair", Size: 8, Value: "0100000002000000"}, "little", "= 0100000002000000"},
		{manifest.Global{Type: "__u64", Size: 8}, "little", "= 0"},
		{manifest.Global{Type: "char[4096]", Size: 4096}, "little", ""},
		{manifest.Global{Size: 3, Value: "010203"}, "little", "= 010203"},
	} {
		if got := globalValue(&c.global, c.order); got != c.want {
			t.Errorf("globalValue(%+v, %s) = %q, want %q", c.global, c.order, got, c.want)
		}
	}
}

func TestMapFlagsHaveTheirNames(t *testing.T) {
	for flags, want := range map[uint32]string{
		0: "", 1: "no_prealloc", 0x480: "rdonly_prog, mmapable", 0x80000400: "mmapable, 0x80000000",
	} {
		if got := mapFlags(flags); got != want {
			t.Errorf("mapFlags(%#x) = %q, want %q", flags, got, want)
		}
	}
}

func TestFoldBreaksBetweenNames(t *testing.T) {
	got := fold([]string{"aaa", "bbb", "ccc", "a-name-longer-than-the-line", "d"}, 10)
	want := []string{"aaa, bbb,", "ccc,", "a-name-longer-than-the-line,", "d"}
	if !slices.Equal(got, want) {
		t.Errorf("fold = %q, want %q", got, want)
	}
	if fold(nil, 10) != nil {
		t.Error("nothing folds to something")
	}
}
