package mutant

import (
	"debug/elf"
	"encoding/binary"
	"slices"
)

// script gives out choices from bytes, and zeroes when there are no more.
type script struct{ rest []byte }

func (s *script) byte() int {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return int(b)
}

func (s *script) below(n int) int {
	if n <= 0 {
		return 0
	}
	v := s.byte() | s.byte()<<8
	return v % n
}

func pick[T any](s *script, list []T) (v T) {
	if len(list) == 0 {
		return v
	}
	return list[s.below(len(list))]
}

// edges are numbers at which code goes wrong.
var edges = []uint64{0, 1, 2, 3, 4, 7, 8, 15, 16, 24, 32, 63, 64, 127, 128, 255, 256, 4095, 4096, 4097, 1 << 15, 1<<16 - 1, 1 << 16, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1, 1<<64 - 8}

// sectionNames are what sections of objects are called.
var sectionNames = []string{
	"xdp", "tc", "tcx/ingress", "socket", "tracepoint/syscalls/sys_enter_openat", "tp/sched/sched_switch", "raw_tp/sched_switch", "raw_tp.w/x", "kprobe/do_nanosleep", "kretprobe/do_nanosleep", "kprobe.multi/do_*",
	"?xdp", "?tc", "syscall", "fentry/do_nanosleep", "fexit/do_nanosleep", "fmod_ret/x", "lsm/file_open", "lsm.s/file_open", "lsm_cgroup/socket_bind", "tp_btf/sched_switch", "iter/task", "freplace/x", "struct_ops", "struct_ops.s", "struct_ops/x",
	"cgroup_skb/ingress", "cgroup/connect4", "cgroup/sysctl", "sk_msg", "sk_skb/stream_parser", "sk_lookup", "sockops", "perf_event", "netfilter", "xdp.frags", "xdp/devmap", "xdp.frags/cpumap", "classifier", "action", "uprobe//bin/x:f", "usdt", "flow_dissector", "lirc_mode2", "lwt_in",
	".text", ".data", ".rodata", ".bss", ".data.x", ".rodata.x", ".bss.x", ".rodata.str1.1", ".data.rel.ro", ".maps", "maps", ".struct_ops", ".struct_ops.link", ".kconfig", ".ksyms", "license", "version", ".BTF", ".BTF.ext", ".symtab", ".strtab",
	".relxdp", ".rel.maps", ".rel.BTF", ".rel.text", ".llvm_addrsig", "", ".", "x", ".arena.1", ".addr_space.1", ".data.percpu", ".percpu",
}

// licenses are contents of section license.
var licenses = []string{"GPL\x00", "Dual BSD/GPL\x00", "Proprietary\x00", "", "\x00", "GPL", "GPL v2\x00", "GPL\x00more\x00"}

// Mutate changes an object as a script says, in one to four places, mostly in one. It returns nil
// if the object cannot be taken apart.
func Mutate(object, how []byte) []byte {
	f, err := parse(object)
	if err != nil {
		return nil
	}
	s := &script{how}
	for range []int{1, 1, 1, 1, 2, 2, 3, 4}[s.byte()%8] {
		changes[s.byte()%len(changes)](f, s)
		if len(f.sections) == 0 {
			break
		}
	}
	return f.bytes()
}

// changes are what can be done. What leaves an object loadable stands more than once.
var changes = []func(*file, *script){
	instruction, instruction, instruction, instruction, swapInstructions, moveInstructions, immediate, immediate,
	symbol, symbol, relocation, relocation, relocation,
	mapDefinition, mapDefinition, mapDefinition, btfType, btfType, btfMember, extRecord,
	dataBytes, dataBytes, dataWord, license, rename, rename, renameProgram, renameProgram,
	headerField, drop, duplicate, resize, splice, order, symbolName, fileHeader, zeroes,
}

func instruction(f *file, s *script) {
	sec := pick(s, f.code())
	if sec == nil {
		return
	}
	ins := sec.data[8*s.below(len(sec.data)/8):][:8]
	switch s.byte() % 4 {
	case 0:
		ins[0] = byte(s.byte())
	case 1:
		ins[1] = byte(s.byte())
	case 2:
		binary.LittleEndian.PutUint16(ins[2:], uint16(pick(s, edges)))
	case 3:
		ins[1] = ins[1]&0x0f | byte(s.byte()%8)<<4
	}
}

func immediate(f *file, s *script) {
	if sec := pick(s, f.code()); sec != nil {
		ins := sec.data[8*s.below(len(sec.data)/8):][:8]
		old := binary.LittleEndian.Uint32(ins[4:])
		if s.byte()%2 == 0 {
			binary.LittleEndian.PutUint32(ins[4:], old+uint32(int32(int8(s.byte()))))
		} else {
			binary.LittleEndian.PutUint32(ins[4:], uint32(pick(s, edges)))
		}
	}
}

func swapInstructions(f *file, s *script) {
	if sec := pick(s, f.code()); sec != nil {
		a, b := 8*s.below(len(sec.data)/8), 8*s.below(len(sec.data)/8)
		x := [8]byte(sec.data[a:])
		copy(sec.data[a:], sec.data[b:][:8])
		copy(sec.data[b:], x[:])
	}
}

// moveInstructions takes instructions out or puts some in, and leaves symbols and
// relocations where they were.
func moveInstructions(f *file, s *script) {
	if sec := pick(s, f.code()); sec != nil {
		at, n := 8*s.below(len(sec.data)/8), 8*(1+s.byte()%4)
		if s.byte()%2 == 0 {
			sec.data = slices.Delete(sec.data, at, min(len(sec.data), at+n))
		} else {
			sec.data = slices.Insert(sec.data, at, slices.Clone(sec.data[at:min(len(sec.data), at+n)])...)
		}
	}
}

// entry picks an entry of a section with entries of a size.
func entry(s *script, sec *section, size int) []byte {
	if sec == nil || len(sec.data) < size {
		return nil
	}
	return sec.data[size*s.below(len(sec.data)/size):][:size]
}

func symbol(f *file, s *script) {
	e := entry(s, pick(s, f.of(elf.SHT_SYMTAB)), 24)
	if e == nil {
		return
	}
	le := binary.LittleEndian
	switch s.byte() % 7 {
	case 0:
		le.PutUint64(e[8:], pick(s, edges))
	case 1:
		le.PutUint64(e[8:], le.Uint64(e[8:])+uint64(int64(int8(s.byte()))))
	case 2:
		le.PutUint64(e[16:], pick(s, edges))
	case 3:
		le.PutUint64(e[16:], le.Uint64(e[16:])+uint64(int64(int8(s.byte()))))
	case 4:
		e[4] = byte(s.byte()%4)<<4 | byte(s.byte()%8)
	case 5:
		e[5] = byte(s.byte() % 4)
	case 6:
		le.PutUint16(e[6:], uint16(s.below(len(f.sections)+2)))
	}
}

func symbolName(f *file, s *script) {
	e, other := entry(s, pick(s, f.of(elf.SHT_SYMTAB)), 24), entry(s, pick(s, f.of(elf.SHT_SYMTAB)), 24)
	if e == nil {
		return
	}
	if s.byte()%2 == 0 {
		copy(e[:4], other)
	} else {
		binary.LittleEndian.PutUint32(e, binary.LittleEndian.Uint32(e)+uint32(s.byte()%8))
	}
}

func relocation(f *file, s *script) {
	e := entry(s, pick(s, f.of(elf.SHT_REL)), 16)
	if e == nil {
		return
	}
	le := binary.LittleEndian
	switch s.byte() % 5 {
	case 0:
		le.PutUint64(e, le.Uint64(e)+uint64(int64(8*int(int8(s.byte())))))
	case 1:
		le.PutUint64(e, pick(s, edges))
	case 2:
		le.PutUint32(e[8:], uint32(s.byte()%12))
	case 3:
		le.PutUint32(e[12:], uint32(s.below(64)))
	case 4:
		le.PutUint32(e[12:], le.Uint32(e[12:])^1)
	}
}

func dataBytes(f *file, s *script) {
	sec := pick(s, f.of(elf.SHT_PROGBITS, elf.SHT_STRTAB, elf.SHT_SYMTAB, elf.SHT_REL))
	if sec == nil || len(sec.data) == 0 {
		return
	}
	at := s.below(len(sec.data))
	for i := range 1 + s.byte()%4 {
		if at+i < len(sec.data) {
			sec.data[at+i] = byte(s.byte())
		}
	}
}

func dataWord(f *file, s *script) {
	sec := pick(s, f.of(elf.SHT_PROGBITS))
	if sec == nil || len(sec.data) < 8 {
		return
	}
	at := s.below(len(sec.data)-7) &^ 3
	if s.byte()%2 == 0 {
		binary.LittleEndian.PutUint32(sec.data[at:], uint32(pick(s, edges)))
	} else {
		binary.LittleEndian.PutUint64(sec.data[at:], pick(s, edges))
	}
}

func license(f *file, s *script) {
	if sec := pick(s, f.called("license")); sec != nil {
		sec.data = append([]byte{}, pick(s, licenses)...)
	}
}
