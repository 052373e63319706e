package loader

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// Who attaches (manifest.Attach.By).
const (
	byKernel = "kernel"
	byBroker = "broker"
)

// mismatch is the error for something that came back and is not what was
// signed: what was loaded is taken down.
func mismatch(what, name, format string, args ...any) *Error {
	return &Error{verdict: Failed, Reason: "not-what-was-signed", Stage: "check " + what, Name: name,
		text: "the kernel holds something else than the manifest says: " + fmt.Sprintf(format, args...)}
}

// check compares everything that came back with the manifest, by asking the
// kernel about each descriptor, and writes the report.
func (l *Loaded) check(m *manifest.Manifest, in inputs) (err error) {
	ids := make(map[string]uint32, len(m.Maps))
	for i := range m.Maps {
		info, err := checkMap(&m.Maps[i], l.maps[m.Maps[i].Name])
		if err != nil {
			return err
		}
		ids[m.Maps[i].Name] = info.ID
		l.report.Maps = append(l.report.Maps, MapReport{Name: m.Maps[i].Name, Type: info.Type.String(), ID: info.ID,
			KeySize: info.KeySize, ValueSize: info.ValueSize, MaxEntries: info.MaxEntries})
		if m.Maps[i].StructOps != nil {
			link, err := checkStructOps(&m.Maps[i], l.links[structOpsLink(m.Maps[i].Name)], info)
			if err != nil {
				return err
			}
			l.report.Links = append(l.report.Links, link)
		}
	}
	targets := &targetTypes{hidden: l.report.Token}
	defer func() { err = errors.Join(err, targets.close()) }()
	for i := range m.Programs {
		p := &m.Programs[i]
		fd := l.programs[p.Name]
		if fd == nil {
			if !p.Optional || l.links[p.Name] != nil || in[p.Name] != nil && p.Attach.Input == inputProgram {
				return mismatch("program", p.Name, "it is missing")
			}
			l.report.Programs = append(l.report.Programs, ProgramReport{Name: p.Name, Type: p.Type, Skipped: true})
			continue
		}
		info, err := checkProgram(p, fd, ids)
		if err != nil {
			return err
		}
		if err := targets.checkProgram(p, &info); err != nil {
			return err
		}
		report := ProgramReport{Name: p.Name, Type: info.Type.String(), ID: info.ID, Tag: tagText(info.Tag), LoadTime: info.LoadTime}
		if link := l.links[p.Name]; link != nil {
			linkReport, err := checkLink(p, link, info, in[p.Name], targets)
			if err != nil {
				return err
			}
			l.report.Links = append(l.report.Links, linkReport)
			report.Attached, report.Target = byKernel, linkReport.Target
		} else if p.Attach.By == byKernel && (p.Attach.Input == "" || in[p.Name] != nil) {
			return mismatch("program", p.Name, "it is not attached")
		}
		l.report.Programs = append(l.report.Programs, report)
	}
	return nil
}

// checkProgram compares one program. Its expected attach type and flags are not
// shown by the kernel; the link shows the type where there is one.
func checkProgram(p *manifest.Program, fd *bpfsys.FD, maps map[string]uint32) (bpfsys.ProgramInfo, error) {
	info, err := bpfsys.GetProgramInfo(fd)
	if err != nil {
		return info, failure("check program", p.Name, "check-failed", err)
	}
	if info.Type.String() != p.Type {
		return info, mismatch("program", p.Name, "type %v, not %s", info.Type, p.Type)
	}
	if info.Name != p.KernelName {
		return info, mismatch("program", p.Name, "name %q, not %q", info.Name, p.KernelName)
	}
	if info.GPLCompatible != gplCompatible(p.License) {
		return info, mismatch("program", p.Name, "its license is not %q", p.License)
	}
	want := make([]uint32, 0, len(p.Maps))
	for _, name := range p.Maps {
		id, ok := maps[name]
		if !ok {
			return info, mismatch("program", p.Name, "it uses %q, which is no map of the object", name)
		}
		want = append(want, id)
	}
	// The kernel lists each map once, and so as many that are all wanted are
	// those that are wanted.
	if len(info.MapIDs) != len(want) || slices.ContainsFunc(info.MapIDs, func(id uint32) bool { return !slices.Contains(want, id) }) {
		return info, mismatch("program", p.Name, "it uses the maps with ids %v, not %v", info.MapIDs, want)
	}
	return info, nil
}

// gplCompatible is the kernel's list (include/linux/license.h).
func gplCompatible(license string) bool {
	switch license {
	case "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL":
		return true
	}
	return false
}

// Flags that are the descriptor's and not the map's (kernel/bpf/syscall.c,
// bpf_map_flags_retain_permanent).
const descriptorFlags = 1<<3 | 1<<4 // BPF_F_RDONLY, BPF_F_WRONLY

// checkMap compares one map.
func checkMap(m *manifest.Map, fd *bpfsys.FD) (bpfsys.MapInfo, error) {
	if fd == nil {
		return bpfsys.MapInfo{}, mismatch("map", m.Name, "it is missing")
	}
	info, err := bpfsys.GetMapInfo(fd)
	if err != nil {
		return info, failure("check map", m.Name, "check-failed", err)
	}
	if info.Type.String() != m.Type {
		return info, mismatch("map", m.Name, "type %v, not %s", info.Type, m.Type)
	}
	if info.Name != m.KernelName {
		return info, mismatch("map", m.Name, "name %q, not %q", info.Name, m.KernelName)
	}
	if info.KeySize != m.KeySize || !m.Takes(info.ValueSize) || info.Extra != m.Extra {
		return info, mismatch("map", m.Name, "key %d, value %d, extra %#x, not %d, %d, %#x",
			info.KeySize, info.ValueSize, info.Extra, m.KeySize, m.ValueSize, m.Extra)
	}
	if !sameEntries(m, info.MaxEntries) {
		return info, mismatch("map", m.Name, "%d entries, not %d", info.MaxEntries, m.MaxEntries)
	}
	flags := m.Flags &^ descriptorFlags
	if info.Type == bpfabi.MapDevMap || info.Type == bpfabi.MapDevMapHash {
		flags |= bpfabi.MapFlagReadOnlyProgram // set by the kernel (kernel/bpf/devmap.c, dev_map_init_map)
	}
	if info.Flags != flags {
		return info, mismatch("map", m.Name, "flags %#x, not %#x", info.Flags, flags)
	}
	if m.Frozen {
		frozen, err := bpfsys.Frozen(fd)
		if err != nil {
			return info, failure("check map", m.Name, "check-failed", err)
		}
		if !frozen {
			return info, mismatch("map", m.Name, "it is not frozen")
		}
	}
	return info, nil
}

// sameEntries compares max_entries. The kernel rounds it to a multiple of the
// number of CPUs for hash tables with an LRU list for each CPU
// (kernel/bpf/hashtab.c, htab_map_alloc), of which there are at most 8192.
func sameEntries(m *manifest.Map, have uint32) bool {
	const noCommonLRU = 1 << 1
	if m.PerCPU {
		return have >= 1 && have <= m.MaxEntries // the loader program keeps to this range as well
	}
	if m.Flags&noCommonLRU == 0 {
		return have == m.MaxEntries
	}
	return max(have, m.MaxEntries)-min(have, m.MaxEntries) < maxCPUs
}

// checkLink compares the link that the loader program made.
func checkLink(p *manifest.Program, fd *bpfsys.FD, prog bpfsys.ProgramInfo, in *input, targets *targetTypes) (LinkReport, error) {
	info, err := bpfsys.GetLinkInfo(fd)
	if err != nil {
		return LinkReport{}, failure("check link", p.Name, "check-failed", err)
	}
	wrong := func(format string, args ...any) (LinkReport, error) {
		return LinkReport{}, mismatch("link", p.Name, format, args...)
	}
	if info.ProgramID != prog.ID {
		return wrong("it runs the program with id %d, not %d", info.ProgramID, prog.ID)
	}
	report := LinkReport{Program: p.Name, Type: info.Type.String(), ID: info.ID, Target: p.AttachTarget, ProgramID: info.ProgramID}
	attachType := p.AttachType
	if in != nil && in.attachType != 0 {
		attachType = in.attachType.String()
	}
	shown := info.AttachType.String()
	switch info.Type {
	case bpfabi.LinkTracing:
		if p.Attach.Input == inputProgram {
			shown = attachType // there is none
			break
		}
		if err := targets.check(p, info.TargetObjID, info.TargetBTFID); err != nil {
			return LinkReport{}, err
		}
	case bpfabi.LinkRawTracepoint, bpfabi.LinkIter:
		// targets.checkProgram saw which module has it
		if target := info.Tracepoint + info.Target; target != p.AttachTarget[strings.IndexByte(p.AttachTarget, ':')+1:] {
			return wrong("target %q, not %q", target, p.AttachTarget)
		}
		shown = attachType // the link's type says it
	case bpfabi.LinkXDP, bpfabi.LinkNetfilter:
		shown = attachType // likewise
	case bpfabi.LinkCgroup, bpfabi.LinkNetNS, bpfabi.LinkTCX, bpfabi.LinkNetkit:
	default:
		return wrong("a link of type %v", info.Type)
	}
	if want := linkType(p, attachType); info.Type != want {
		return wrong("a link of type %v, not %v", info.Type, want)
	}
	if shown != attachType {
		return wrong("attach type %s, not %s", shown, attachType)
	}
	if p.Attach.Input == "" {
		return report, nil
	}
	if in == nil {
		return wrong("it is attached, and no target was given")
	}
	report.Target = in.text
	switch in.kind {
	case inputInterface:
		if info.Ifindex != in.ifindex {
			return wrong("interface %d, not %d", info.Ifindex, in.ifindex)
		}
	case inputCgroup:
		if info.CgroupID != in.inode {
			return wrong("control group %d, not %d", info.CgroupID, in.inode)
		}
	case inputProgram:
		if info.TargetObjID != in.program || info.TargetBTFID != in.function {
			return wrong("function %d of program %d, not %d of %d", info.TargetBTFID, info.TargetObjID, in.function, in.program)
		}
		report.Target = p.AttachTarget + " of " + in.text
	case inputNetns:
		if uint64(info.NetnsInode) != in.inode {
			return wrong("network namespace %d, not %d", info.NetnsInode, in.inode)
		}
	default:
		return wrong("a target of kind %q", in.kind)
	}
	if err := in.stillThere(); err != nil {
		return LinkReport{}, failure("attach target", p.Name, "attach-target", err)
	}
	return report, nil
}

// linkType is the type of link that a program of this type and attach type has.
func linkType(p *manifest.Program, attachType string) bpfabi.LinkType {
	switch p.Attach.Input {
	case inputCgroup:
		return bpfabi.LinkCgroup
	case inputNetns:
		return bpfabi.LinkNetNS
	case inputInterface:
		switch attachType {
		case bpfabi.AttachNetkitPrimary.String(), bpfabi.AttachNetkitPeer.String():
			return bpfabi.LinkNetkit
		case bpfabi.AttachXDP.String():
			return bpfabi.LinkXDP
		}
		return bpfabi.LinkTCX
	}
	switch {
	case p.Type == bpfabi.ProgramNetfilter.String():
		return bpfabi.LinkNetfilter
	case attachType == bpfabi.AttachTraceIter.String():
		return bpfabi.LinkIter
	case attachType == bpfabi.AttachTraceRawTP.String():
		return bpfabi.LinkRawTracepoint
	default:
		return bpfabi.LinkTracing
	}
}
