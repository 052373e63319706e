package skeleton

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// The map is the one that libbpf makes: variables by alignment, size and name,
// in a section's type that the kernel takes.
func TestKconfigIsLaidOutAsLibbpfDoes(t *testing.T) {
	o, err := parseObject(fixtures(t, "kconfig.bpf.o")["kconfig"])
	if err != nil {
		t.Fatal(err)
	}
	m := o.kconfig.newMap()
	if m.typ != bpfabi.MapArray || m.valueSize != 77 || !m.freeze || m.flags != bpfabi.MapFlagReadOnlyProgram|bpfabi.MapFlagMmapable || len(bytes.Trim(m.data, "\x00")) > 0 || len(m.data) != 77 {
		t.Errorf("%+v", m)
	}
	section := o.btf.types[m.btfValue]
	if section.kind() != kindDatasec || section.size != 77 || o.btf.string(section.name) != ".kconfig" {
		t.Errorf("%+v", section)
	}
	var names []string
	end := uint32(0)
	for _, v := range section.secVars() {
		typ := o.btf.types[v.typ]
		name := o.btf.string(typ.name)
		names = append(names, name)
		if typ.kind() != kindVar || binary.LittleEndian.Uint32(typ.tail) != linkageAllocated || v.off < end || v.off != o.kconfig.offset(name) {
			t.Errorf("%s: %+v at %d", name, typ, v.off)
		}
		end = v.off + v.size
	}
	const want = "CONFIG_PHYSICAL_START CONFIG_TBPF_NO_NUMBER " +
		"CONFIG_BTRFS_FS CONFIG_HZ CONFIG_NET CONFIG_TBPF_NO_MODULE LINUX_KERNEL_VERSION LINUX_TBPF_UNKNOWN CONFIG_LOG_BUF_SHIFT " +
		"CONFIG_BPF_SYSCALL CONFIG_TBPF_ABSENT CONFIG_VXLAN LINUX_HAS_BPF_COOKIE LINUX_HAS_SYSCALL_WRAPPER " +
		"CONFIG_LSM CONFIG_TBPF_NO_TEXT CONFIG_DEFAULT_HOSTNAME"
	if got := strings.Join(names, " "); got != want || end != 77 {
		t.Errorf("%s, %d bytes", got, end)
	}
}

// Every variable is an input that may have all of its type, whatever the signer
// declares besides; from the manifest the same is generated again.
func TestKconfigIsDeclaredByItself(t *testing.T) {
	object := fixtures(t, "kconfig.bpf.o")["kconfig"]
	s, err := Generate(object, Options{Tunables: []Tunable{{Name: "no_number", Allowed: "1..9"}}})
	if err != nil {
		t.Fatal(err)
	}
	facts := make(map[string]manifest.Tunable)
	for _, v := range s.Manifest.Tunables {
		if v.Source != "" {
			facts[v.Name] = v
		}
	}
	if len(facts) != 17 || len(s.Manifest.Tunables) != 18 {
		t.Fatalf("%+v", s.Manifest.Tunables)
	}
	for name, want := range map[string]string{
		"LINUX_KERNEL_VERSION": "unsigned 0..4294967295", "CONFIG_HZ": "signed -2147483648..2147483647", "CONFIG_VXLAN": "signed -128..127", "CONFIG_BPF_SYSCALL": "bool true|false",
		"CONFIG_BTRFS_FS": "enum n|y|m", "CONFIG_DEFAULT_HOSTNAME": "string text of at most 15 bytes", "CONFIG_PHYSICAL_START": "unsigned 0..18446744073709551615 or 0",
		"CONFIG_TBPF_ABSENT": "bool true|false or false", "CONFIG_TBPF_NO_MODULE": "enum n|y|m or n", "CONFIG_TBPF_NO_TEXT": "string text of at most 7 bytes or ", "LINUX_TBPF_UNKNOWN": "signed -2147483648..2147483647 or 0",
	} {
		v := facts[name]
		got := v.Kind + " " + v.Words()
		if v.Default != nil {
			got += " or " + *v.Default
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	opt := OptionsOf(&s.Manifest)
	if len(opt.Tunables) != 1 {
		t.Errorf("options: %+v", opt.Tunables)
	}
	again, err := Generate(object, opt)
	if err != nil || !bytes.Equal(again.Metadata, s.Metadata) || !reflect.DeepEqual(again.Loaders, s.Loaders) || s.Manifest.DiffersFromGenerated(&again.Manifest) != "" {
		t.Errorf("generated again it differs: %v", err)
	}
}

// Variables that no machine could give a value are refused by name, and so are
// those whose type or name libbpf does not know.
func TestKconfigThatIsRefused(t *testing.T) {
	object := fixtures(t, "kconfig.bpf.o")["kconfig"]
	const tristate = "libbpf_tristate"
	for what, c := range map[string]struct{ old, new, names string }{
		"a strong fact that nobody knows": {"LINUX_KERNEL_VERSION", "LINUX_KERNEL_FASHION", "LINUX_KERNEL_FASHION"},
		"a name of neither kind":          {"CONFIG_HZ", "config_HZ", "config_HZ"},
		"another enumeration":             {tristate, "libbpf_tristatE", "CONFIG_"},
		"a text that is no option":        {"CONFIG_DEFAULT_HOSTNAME", "LINUX_KERNEL_HOSTNAMES_", "LINUX_KERNEL_HOSTNAMES_"},
		"a weak text that is no option":   {"CONFIG_TBPF_NO_TEXT", "LINUX__TBPF_NO_TEXT", "LINUX__TBPF_NO_TEXT"},
		"an enumeration that is none":     {"CONFIG_TBPF_NO_MODULE", "LINUX__TBPF_NO_MODULE", "LINUX__TBPF_NO_MODULE"},
	} {
		changed := bytes.ReplaceAll(object, []byte("\x00"+c.old+"\x00"), []byte("\x00"+c.new+"\x00"))
		if bytes.Equal(changed, object) || len(c.old) != len(c.new) {
			t.Fatalf("%s: nothing was changed", what)
		}
		_, err := Generate(changed, Options{})
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || !strings.HasPrefix(unsupported.Name, `variable "`+c.names) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := Generate(object, Options{Tunables: []Tunable{{Name: "CONFIG_HZ", Allowed: "100..250"}}})
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Name != `tunable "CONFIG_HZ"` {
		t.Errorf("declared by the signer: %v", err)
	}
}
