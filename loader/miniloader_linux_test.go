package loader

import (
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// mini is a loader program written by hand: it makes one map and loads one XDP
// program that uses it, whatever a manifest may say. Tests change what it does
// to see that the difference is noticed.
type mini struct {
	mapType                       bpfabi.MapType
	keySize, valueSize, entries   uint32
	mapFlags                      uint32
	mapName                       string
	freeze                        bool
	programType                   bpfabi.ProgramType
	programName, license          string
	programUsesMap, programBreaks bool

	target          string        // a tracepoint that the program is for, by tp_btf
	linkSlot        int           // -1: it is not attached
	stage           loadctx.Stage // left behind on success
	result          int32
	mapSlot         int // -1: the map's descriptor is not handed out
	programSlot     int
	token           bool // given to its commands
	swap, duplicate bool // the two descriptors change places; both slots hold the map

	m           manifest.Manifest
	cms         []byte
	certificate *x509.Certificate
	profile     bpfabi.Profile
}

// source makes what a sealed object is made of.
type source interface {
	Manifest() *manifest.Manifest
	Digest() string
	Metadata() []byte
	Loader(bpfabi.Profile) (instructions, cms []byte, ok bool)
	KernelCertificate() *x509.Certificate
	KernelSignerIssued() bool
}

func sealedBy(s source) sealed {
	return sealed{s.Manifest(), s.Digest(), s.Metadata(), s.Loader, s.KernelCertificate(), s.KernelSignerIssued()}
}

// newMini is a loader program and the manifest that describes it.
func newMini() *mini {
	x := &mini{
		mapType: bpfabi.MapArray, keySize: 4, valueSize: 8, entries: 3, mapName: "counts",
		programType: bpfabi.ProgramXDP, programName: "count", license: "GPL", programUsesMap: true,
		stage: loadctx.StageDone, mapSlot: 0, programSlot: 1, linkSlot: -1, profile: bpfabi.Bound,
	}
	x.m = manifest.Manifest{
		Name: "mini", Architecture: "any", ByteOrder: nativeByteOrder(), Context: uint32(loadctx.Size(2)),
		Object: manifest.Object{Name: "mini.bpf.o", SHA256: hex.EncodeToString(make([]byte, 32))},
		Maps:   []manifest.Map{{Name: "counts", KernelName: "counts", Type: "array", KeySize: 4, ValueSize: 8, MaxEntries: 3, Slot: 0}},
		Programs: []manifest.Program{{
			Name: "count", KernelName: "count", Section: "xdp", Type: "xdp", License: "GPL", Maps: []string{"counts"}, Slot: 1,
			Attach: manifest.Attach{By: "none", Link: -1, InputSlot: -1},
		}},
		Kernel: manifest.KernelNeeds{Minimum: "5.17"},
	}
	return x
}

func (x *mini) Manifest() *manifest.Manifest         { return &x.m }
func (x *mini) Digest() string                       { return "sha256:" + x.m.Object.SHA256 }
func (x *mini) KernelCertificate() *x509.Certificate { return x.certificate }

func (x *mini) KernelSignerIssued() bool { return false }

func (x *mini) Loader(p bpfabi.Profile) ([]byte, []byte, bool) {
	if p != x.profile {
		return nil, nil, false
	}
	return x.instructions(), x.cms, true
}

// Places in the metadata.
const (
	atFDs      = 8 // the descriptor array: the map
	atMapAttr  = 16
	atProgAttr = atMapAttr + 80
	atLicense  = atProgAttr + 152
	atInsns    = atLicense + 128
	atLink     = atInsns + 64
	atTarget   = atLink + 48
	metaSize   = atTarget + 64
)

// Metadata is a source's.
func (x *mini) Metadata() []byte {
	b := make([]byte, metaSize)
	put := func(at int, values ...uint32) {
		for i, v := range values {
			binary.NativeEndian.PutUint32(b[at+4*i:], v)
		}
	}
	put(atMapAttr, uint32(x.mapType), x.keySize, x.valueSize, x.entries, x.mapFlags)
	copy(b[atMapAttr+28:], x.mapName)
	code := x.program()
	copy(b[atInsns:], code)
	copy(b[atLicense:], x.license)
	put(atProgAttr, uint32(x.programType), uint32(len(code)/8))
	copy(b[atProgAttr+48:], x.programName)
	switch x.programType {
	case bpfabi.ProgramXDP:
		put(atProgAttr+68, uint32(bpfabi.AttachXDP))
	case bpfabi.ProgramTracing:
		put(atProgAttr+68, uint32(bpfabi.AttachTraceRawTP))
	}
	put(atLink+8, uint32(bpfabi.AttachTraceRawTP))
	if x.target != "" {
		copy(b[atTarget:], "btf_trace_"+x.target)
	}
	return b
}

// code collects instructions.
type code []byte

func (c *code) add(op, regs byte, off int16, imm int32) {
	b := make([]byte, 8)
	b[0], b[1] = op, regs
	binary.NativeEndian.PutUint16(b[2:], uint16(off))
	binary.NativeEndian.PutUint32(b[4:], uint32(imm))
	*c = append(*c, b...)
}

// address loads the address of a place in the metadata (BPF_PSEUDO_MAP_IDX_VALUE).
func (c *code) address(reg byte, at int) {
	c.add(0x18, reg|6<<4, 0, 0)
	c.add(0, 0, 0, int32(at))
}

// tracing makes the program one for a tracepoint, attached inside.
func (x *mini) tracing(target string) *mini {
	x.programType, x.target, x.linkSlot = bpfabi.ProgramTracing, target, 2
	p := &x.m.Programs[0]
	p.Type, p.Section, p.AttachType, p.AttachTarget = "tracing", "tp_btf/"+target, "trace_raw_tp", target
	p.Attach = manifest.Attach{By: byKernel, Link: 2, InputSlot: -1}
	x.m.Context = uint32(loadctx.Size(3))
	return x
}

// program is the program.
func (x *mini) program() []byte {
	var c code
	if x.programUsesMap {
		c.add(0x18, 1|5<<4, 0, 0) // r1 = map 0 of the descriptor array
		c.add(0, 0, 0, 0)
	}
	if x.programBreaks {
		c.add(0x79, 0|3<<4, 0, 0) // r0 = *(u64 *)r3: r3 was never set
	}
	result := int32(2)
	if x.programType == bpfabi.ProgramTracing {
		result = 0
	}
	c.add(0xb7, 0, 0, result) // r0 = result
	c.add(0x95, 0, 0, 0)      // exit
	return c
}

const (
	helperSysBPF   = 166
	helperSysClose = 168
	helperFindBTF  = 167
)

// instructions is the loader program.
func (x *mini) instructions() []byte {
	var c code
	c.add(0xbf, 6|1<<4, 0, 0) // r6 = r1, the context
	stage := func(s loadctx.Stage) {
		c.add(0xb7, 1, 0, int32(s))
		c.add(0x63, 6|1<<4, loadctx.OffStage, 0)
	}
	// sysBPF runs one command; an error is returned as it is.
	sysBPF := func(cmd bpfabi.Command, at, size int) {
		c.address(2, at)
		c.add(0xb7, 1, 0, int32(cmd))
		c.add(0xb7, 3, 0, int32(size))
		c.add(0x85, 0, 0, helperSysBPF)
		c.add(0x75, 0, 7, 0)      // if r0 s>= 0, go on
		c.add(0xbf, 7|0<<4, 0, 0) // r7 = r0
		c.address(1, atFDs)
		c.add(0x61, 1|1<<4, 0, 0) // r1 = *(u32 *)r1: the map, or 0
		c.add(0x85, 0, 0, helperSysClose)
		c.add(0xbf, 0|7<<4, 0, 0)
		c.add(0x95, 0, 0, 0)
	}
	pointer := func(at, to int) {
		c.address(1, at)
		c.address(2, to)
		c.add(0x7b, 1|2<<4, 0, 0)
	}
	// keep stores r0 into the metadata and a slot of the context.
	keep := func(at, slot int) {
		if at >= 0 {
			c.address(1, at)
			c.add(0x63, 1|0<<4, 0, 0)
		}
		if slot >= 0 {
			c.add(0x63, 6|0<<4, int16(loadctx.SlotOffset(slot)), 0)
		}
	}
	// The token goes into both commands, with its flag.
	mapSize, programSize := 72, 140
	if x.token {
		mapSize, programSize = 80, 148
		for _, at := range [][2]int{{atMapAttr + 76, atMapAttr + 16}, {atProgAttr + 144, atProgAttr + 44}} {
			c.add(0x61, 2|6<<4, loadctx.OffToken, 0)
			c.address(1, at[0])
			c.add(0x63, 1|2<<4, 0, 0)
			c.address(1, at[1])
			c.add(0xb7, 2, 0, bpfabi.FlagToken)
			c.add(0x63, 1|2<<4, 0, 0)
		}
	}
	stage(loadctx.StageMap)
	mapSlot, programSlot := x.mapSlot, x.programSlot
	if x.swap {
		mapSlot, programSlot = programSlot, mapSlot
	}
	sysBPF(bpfabi.CommandMapCreate, atMapAttr, mapSize)
	keep(atFDs, mapSlot)
	if x.duplicate {
		keep(-1, programSlot)
	}
	if x.freeze {
		sysBPF(bpfabi.CommandMapFreeze, atFDs, 4)
	}
	stage(loadctx.StageProgram)
	pointer(atProgAttr+8, atInsns)
	pointer(atProgAttr+16, atLicense)
	pointer(atProgAttr+120, atFDs)
	// The log settings, as loadctx has them.
	for _, f := range [][3]int{{loadctx.OffLogLevel, atProgAttr + 24, 4}, {loadctx.OffLogSize, atProgAttr + 28, 4}, {loadctx.OffLogBuf, atProgAttr + 32, 8}} {
		load, store := byte(0x61), byte(0x63)
		if f[2] == 8 {
			load, store = 0x79, 0x7b
		}
		c.add(load, 2|6<<4, int16(f[0]), 0)
		c.address(1, f[1])
		c.add(store, 1|2<<4, 0, 0)
	}
	if x.target != "" {
		c.address(1, atTarget)
		c.add(0xb7, 2, 0, int32(len("btf_trace_"+x.target)+1))
		c.add(0xb7, 3, 0, kernelbtf.KindTypedef)
		c.add(0xb7, 4, 0, 0)
		c.add(0x85, 0, 0, helperFindBTF)
		keep(atProgAttr+108, -1)
	}
	sysBPF(bpfabi.CommandProgLoad, atProgAttr, programSize)
	keep(atLink, -1)
	if !x.duplicate {
		keep(-1, programSlot)
	}
	if x.linkSlot >= 0 {
		sysBPF(bpfabi.CommandLinkCreate, atLink, 48)
		keep(-1, x.linkSlot)
	}
	stage(x.stage)
	c.add(0xb7, 0, 0, x.result)
	c.add(0x95, 0, 0, 0)
	return c
}

// onOtherThread runs f on a thread that ends with it.
func onOtherThread(f func() error) error { return kernelload.OnThread(f) }

// needBPF skips a test where this process may not load BPF programs.
func needBPF(t *testing.T) {
	t.Helper()
	m, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "probe", Type: bpfabi.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		if os.Getenv("CI") != "" {
			t.Fatal("no permission to use BPF")
		}
		t.Skip("no permission to use BPF")
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

// descriptors counts the open descriptors of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	runtime.Gosched()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// mapIsGone reports whether no map has this id any more. The kernel frees maps a
// little after their last descriptor.
func mapIsGone(id uint32) bool {
	for range 200 {
		fd, err := bpfsys.OpenMap(id)
		if errors.Is(err, unix.ENOENT) {
			return true
		}
		fd.Close()
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 5e6}, nil)
	}
	return false
}
