package report

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

func programs(p *page, m *manifest.Manifest) {
	p.section("Programs", len(m.Programs))
	for i := range m.Programs {
		g := &m.Programs[i]
		p.line("  %s  SEC(\"%s\")", g.Name, g.Section)
		about := []string{g.Type}
		if len(g.Flags) > 0 {
			about = append(about, strings.Join(g.Flags, ", "))
		}
		about = append(about, count(int(g.Instructions.Length/8), "instruction"), "license "+g.License)
		rows := [][]string{
			{"program", strings.Join(about, ", ")},
			{"attached to", attachment(g)},
		}
		rows = folded(rows, "helpers", g.Helpers)
		rows = folded(rows, "kfuncs", g.Kfuncs)
		p.table("    ", folded(rows, "maps", g.Maps))
	}
}

// attachment says in words what the program is put on, and by whom.
func attachment(g *manifest.Program) string {
	var on string
	switch {
	case g.Attach.Input != "":
		on = fmt.Sprintf("a %s of the machine's choice", inputWord(g.Attach.Input))
		if g.AttachTarget != "" {
			on += ", " + g.AttachTarget
		}
	case g.AttachTarget != "":
		on = g.AttachTarget
	}
	if g.AttachType != "" && g.AttachType != g.AttachTarget {
		on = strings.TrimSpace(on + " (" + g.AttachType + ")")
	}
	switch g.Attach.By {
	case "kernel":
		on += ", by the loader program"
	case "broker":
		on += ", by the process that loads it"
	default:
		on = "nothing: it is only loaded"
	}
	if g.Optional {
		on += "; skipped where the kernel has no such target"
	}
	return strings.TrimPrefix(on, ", ")
}

func inputWord(kind string) string {
	switch kind {
	case "ifindex":
		return "network interface"
	case "netns":
		return "network namespace"
	case "program":
		return "pinned program"
	case "kernel-function":
		return "kernel function"
	case "syscall":
		return "system call"
	case "user-function":
		return "function of a program of user space"
	case "raw-tracepoint":
		return "raw tracepoint"
	default:
		return kind
	}
}

func mapTable(p *page, m *manifest.Manifest) {
	p.section("Maps", len(m.Maps))
	if len(m.Maps) == 0 {
		return
	}
	rows := [][]string{{"name", "type", "key", "value", "entries", "flags", ""}}
	for i := range m.Maps {
		rows = append(rows, mapRow(&m.Maps[i], ""))
		if inner := m.Maps[i].InnerMap; inner != nil {
			rows = append(rows, mapRow(inner, "  holds "))
		}
	}
	p.table("  ", rows)
}

func mapRow(m *manifest.Map, prefix string) []string {
	var about []string
	if m.Contents != nil {
		about = append(about, count(int(m.Contents.Length), "byte")+" of contents")
	}
	if m.Frozen {
		about = append(about, "frozen")
	}
	if m.Mode != "" {
		about = append(about, "pinned with mode "+m.Mode)
	}
	switch {
	case m.Keep != "":
		about = append(about, "kept by newer versions")
	case m.Pinning != "":
		about = append(about, "declared to be pinned by name, made anew")
	}
	entries := fmt.Sprint(m.MaxEntries)
	if m.PerCPU {
		entries = "CPUs"
	}
	return []string{prefix + m.Name, m.Type, fmt.Sprint(m.KeySize), fmt.Sprint(m.ValueSize),
		entries, mapFlags(m.Flags), strings.Join(about, ", ")}
}

// mapFlags names map_flags (include/uapi/linux/bpf.h, BPF_F_ without the
// prefix); bits without a name are a number.
func mapFlags(flags uint32) string {
	names := []string{"no_prealloc", "no_common_lru", "numa_node", "rdonly", "wronly", "stack_build_id",
		"zero_seed", "rdonly_prog", "wronly_prog", "clone", "mmapable", "preserve_elems", "inner_map", "link"}
	var set []string
	for bit, name := range names {
		if flags&(1<<bit) != 0 {
			set = append(set, name)
			flags &^= 1 << bit
		}
	}
	if flags != 0 {
		set = append(set, fmt.Sprintf("0x%x", flags))
	}
	return strings.Join(set, ", ")
}

func globals(p *page, m *manifest.Manifest) {
	if len(m.Globals) == 0 {
		return
	}
	p.section("Globals", len(m.Globals))
	var rows [][]string
	for _, g := range m.Globals {
		kind := g.Type
		if kind == "" {
			kind = count(int(g.Size), "byte")
		}
		rows = append(rows, []string{g.Map, kind, g.Name, globalValue(&g, m.ByteOrder)})
	}
	p.table("  ", rows)
}

// globalValue is a number as decimal, other bytes in hex.
func globalValue(g *manifest.Global, order string) string {
	raw, err := hex.DecodeString(g.Value)
	switch {
	case err != nil || len(raw) > 0 && (strings.HasSuffix(g.Type, "]") || strings.HasPrefix(g.Type, "struct ")):
		return "= " + g.Value
	case len(raw) == 0 && g.Size > 64:
		return "" // zero, or too long for the manifest
	case len(raw) == 0:
		return "= 0"
	}
	if order == "big" {
		slices.Reverse(raw)
	}
	switch len(raw) {
	case 1, 2, 4, 8:
		kind := strings.NewReplacer("const ", "", "volatile ", "").Replace(g.Type)
		n := binary.LittleEndian.Uint64(append(raw, make([]byte, 8-len(raw))...))
		if shift := 64 - 8*len(raw); int64(n<<shift)>>shift < 0 && !strings.HasPrefix(kind, "u") && !strings.HasPrefix(kind, "__u") {
			return fmt.Sprintf("= %d", int64(n<<shift)>>shift)
		}
		return fmt.Sprintf("= %d", n)
	}
	return "= " + g.Value
}

// inputs lists what is not under the signature but chosen by the machine that
// loads the object, within what the signature allows.
func inputs(p *page, m *manifest.Manifest) {
	var rows [][]string
	for i := range m.Programs {
		if g := &m.Programs[i]; g.Attach.Input != "" {
			rows = append(rows, []string{"target of " + g.Name, "any " + inputWord(g.Attach.Input), "without one it is not attached"})
		}
	}
	for _, t := range m.Tunables {
		otherwise := "must be set"
		switch {
		case t.Source != "":
			otherwise = factWords(t.Default)
		case t.Default != nil:
			otherwise = "is " + *t.Default
		}
		rows = append(rows, []string{t.Name, t.Words(), otherwise})
	}
	if len(rows) > 0 {
		p.section("The machine may set", len(rows))
		p.table("  ", rows)
	}
}

func symbols(p *page, m *manifest.Manifest) {
	if len(m.Symbols) == 0 {
		return
	}
	p.section("Kernel symbols", len(m.Symbols))
	var rows [][]string
	for _, s := range m.Symbols {
		weak := ""
		if s.Weak {
			weak = "weak: may be absent"
		}
		rows = append(rows, []string{s.Name, s.Kind, weak})
	}
	p.table("  ", rows)
}

func needs(p *page, m *manifest.Manifest) {
	p.line("")
	p.line("Needs")
	kernel := m.Kernel.Minimum + " or newer"
	if m.Kernel.BTF {
		kernel += ", with BTF"
	}
	if m.Kernel.LSM {
		kernel += ", with bpf in the list of active LSMs"
	}
	rows := [][]string{{"kernel", kernel}}
	for _, n := range m.Kernel.Needs {
		rows = append(rows, []string{"", n.Feature + ": " + n.Since})
	}
	rows = folded(rows, "capabilities", m.Capabilities)
	rows = folded(rows, "token: commands", m.Delegation.Commands)
	rows = folded(rows, "token: maps", m.Delegation.Maps)
	rows = folded(rows, "token: programs", m.Delegation.Programs)
	p.table("  ", folded(rows, "token: attach", m.Delegation.AttachTypes))
}
