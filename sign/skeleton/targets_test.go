package skeleton

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// What the signer names is what stands in the manifest and what the loader
// program looks up, and the same comes of the manifest again.
func TestTargetsOfTheSigner(t *testing.T) {
	object := fixtures(t, "targets.bpf.o")["targets"]
	good := map[string]string{"at_entry": "vfs_read", "at_tracepoint": "task_rename", "at_exit": "nf_conntrack:nf_conntrack_in", "on_function": "vfs_write"}
	s, err := Generate(object, Options{Targets: good})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Manifest.Programs {
		if p.AttachTarget != good[p.Name] {
			t.Errorf("program %s: target %q", p.Name, p.AttachTarget)
		}
		wantInput := map[string]string{"on_raw_tp": manifest.InputRawTracepoint, "on_tracepoint": manifest.InputTracepoint, "nowhere": manifest.InputFunction}[p.Name]
		if p.Attach.Input != wantInput || p.Attach.InputSlot != -1 {
			t.Errorf("program %s: input %+v, want %q", p.Name, p.Attach, wantInput)
		}
	}
	for _, name := range []string{"vfs_read\x00", "btf_trace_task_rename\x00", "nf_conntrack_in\x00"} {
		if !strings.Contains(string(s.Metadata), name) {
			t.Errorf("the metadata do not have %q", name)
		}
	}
	again, err := Generate(object, OptionsOf(&s.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Metadata) != string(s.Metadata) || s.Manifest.DiffersFromGenerated(&again.Manifest) != "" {
		t.Error("the manifest does not give the same again")
	}

	for what, change := range map[string]func(map[string]string){
		"no target":           func(m map[string]string) { delete(m, "at_entry") },
		"a pattern":           func(m map[string]string) { m["at_entry"] = "vfs_*" },
		"no module":           func(m map[string]string) { m["at_entry"] = ":vfs_read" },
		"no name":             func(m map[string]string) { m["at_entry"] = "nf_conntrack:" },
		"two modules":         func(m map[string]string) { m["at_entry"] = "a:b:c" },
		"a path":              func(m map[string]string) { m["at_tracepoint"] = "task/task_rename" },
		"a program's absence": func(m map[string]string) { m["at_nothing"] = "vfs_read" },
	} {
		bad := make(map[string]string)
		for k, v := range good {
			bad[k] = v
		}
		change(bad)
		var unsupported *UnsupportedError
		if _, err := Generate(object, Options{Targets: bad}); !errors.As(err, &unsupported) || !strings.HasPrefix(unsupported.Name, "program") {
			t.Errorf("%s: %v", what, err)
		}
	}
	xdp := fixtures(t, "xdpcount.bpf.o")["xdpcount"]
	if _, err := Generate(xdp, Options{Targets: map[string]string{"count_udp": "eth0"}}); err == nil {
		t.Error("an XDP program was given a target under the signature")
	}
}

// Objects of the other byte order are refused for that and not as damaged ones: the
// compiler makes them of the same source.
func TestOtherByteOrdersAreRefused(t *testing.T) {
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x02\x01")
	for at, value := range map[int]uint16{16: 1, 18: uint16(elf.EM_BPF), 52: 64, 58: 64} {
		binary.BigEndian.PutUint16(header[at:], value)
	}
	binary.BigEndian.PutUint32(header[20:], 1)
	var unsupported *UnsupportedError
	if _, err := Generate(header, Options{}); !errors.As(err, &unsupported) || unsupported.Name != "byte order" {
		t.Errorf("%v", err)
	}
}
