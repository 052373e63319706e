package skeleton

import (
	"encoding/binary"
	"fmt"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
)

// Offsets in the kernel's union bpf_attr (include/uapi/linux/bpf.h), and how
// many bytes of it each command gets: through the last field that tbpf sets.
const (
	btfLoadData     = 0
	btfLoadLogBuf   = 8
	btfLoadSize     = 16
	btfLoadLogSize  = 20
	btfLoadLogLevel = 24
	btfLoadFlags    = 32
	btfLoadToken    = 36
	btfLoadLen      = 40

	mapCreateType       = 0
	mapCreateKeySize    = 4
	mapCreateValueSize  = 8
	mapCreateMaxEntries = 12
	mapCreateFlags      = 16
	mapCreateInner      = 20
	mapCreateNuma       = 24
	mapCreateName       = 28
	mapCreateBTF        = 48
	mapCreateBTFKey     = 52
	mapCreateBTFValue   = 56
	mapCreateVmlinux    = 60
	mapCreateExtra      = 64
	mapCreateToken      = 76
	mapCreateLen        = 80

	mapElemFD    = 0
	mapElemKey   = 8
	mapElemValue = 16
	mapElemLen   = 32

	progLoadType       = 0
	progLoadInsnCount  = 4
	progLoadInsns      = 8
	progLoadLicense    = 16
	progLoadLogLevel   = 24
	progLoadLogSize    = 28
	progLoadLogBuf     = 32
	progLoadFlags      = 44
	progLoadName       = 48
	progLoadAttachType = 68
	progLoadBTF        = 72
	progLoadFuncSize   = 76
	progLoadFuncs      = 80
	progLoadFuncCount  = 88
	progLoadLineSize   = 92
	progLoadLines      = 96
	progLoadLineCount  = 104
	progLoadTargetID   = 108
	progLoadTargetBTF  = 112
	progLoadReloCount  = 116
	progLoadFDArray    = 120
	progLoadRelos      = 128
	progLoadReloSize   = 136
	progLoadToken      = 144
	progLoadLen        = 152

	linkCreateProg   = 0
	linkCreateTarget = 4
	linkCreateType   = 8
	linkCreateLen    = 48
)

// maxPayload bounds instructions and metadata together: what the kernel hashes
// for one signature must be shorter than 2^24 bytes.
const maxPayload = 1<<24 - 1

// image is the metadata: the loader program's working memory with its initial
// values. It starts with a latch of eight zero bytes (no instruction has
// opcode zero, so no program can reach into the metadata), then the table of
// file descriptors and the attributes of the nested commands, then the bytes
// that those attributes point to.
type image struct {
	buf []byte

	fds  int // the table: s32 each, -1 = none
	btf  int // attributes of BTF_LOAD
	elem int // of MAP_UPDATE_ELEM, used again and again
	maps map[*mapPlan]mapImage
	prog map[*progPlan]progImage
	syms []int // names, by index of the plan

	tables map[*tablePlan]tableImage

	btfData int
}

type mapImage struct {
	attr   int
	data   int
	keys   []int
	link   int   // attributes of LINK_CREATE, of a struct_ops map
	values []int // its value, by layout
}

type progImage struct {
	attr, link                         int
	insns, license, funcs, lines, relo int
	lookup                             int
}

// offLatch is where the loader program notes that it has run.
const offLatch = 0

// newImage lays the metadata out.
func newImage(p *plan) *image {
	m := &image{maps: make(map[*mapPlan]mapImage), prog: make(map[*progPlan]progImage), tables: make(map[*tablePlan]tableImage)}
	m.alloc(8)
	m.fds = m.alloc(4 * p.fds)
	for i := range p.fds {
		m.put32(m.fds+4*i, 0xffffffff)
	}
	m.elem = m.alloc(mapElemLen)
	if p.obj.btf != nil {
		m.btf = m.alloc(btfLoadLen)
	}
	for _, mp := range p.maps {
		if mp.inner != nil {
			m.maps[mp.inner] = mapImage{attr: m.mapAttr(mp.inner)}
		}
		img := mapImage{attr: m.mapAttr(mp)}
		if mp.ops != nil {
			img.link = m.alloc(linkCreateLen)
			m.put32(img.link+linkCreateType, uint32(bpfabi.AttachStructOps))
		}
		m.maps[mp] = img
	}
	m.addTables(p)
	for _, prog := range p.progs {
		img := progImage{attr: m.progAttr(p, prog)}
		if prog.link >= 0 {
			img.link = m.alloc(linkCreateLen)
			m.put32(img.link+linkCreateType, uint32(prog.target.linkType))
		}
		m.prog[prog] = img
	}
	m.addBlobs(p)
	return m
}

// mapAttr lays out the attributes of a MAP_CREATE.
func (m *image) mapAttr(mp *mapPlan) int {
	a := m.alloc(mapCreateLen)
	m.put32(a+mapCreateType, uint32(mp.typ))
	m.put32(a+mapCreateKeySize, mp.keySize)
	m.put32(a+mapCreateValueSize, mp.valueSize)
	m.put32(a+mapCreateMaxEntries, mp.maxEntries)
	m.put32(a+mapCreateFlags, mp.flags)
	m.put32(a+mapCreateNuma, mp.numaNode)
	copy(m.buf[a+mapCreateName:], mp.kernelName)
	m.put32(a+mapCreateBTFKey, mp.btfKey)
	m.put32(a+mapCreateBTFValue, mp.btfValue)
	binary.LittleEndian.PutUint64(m.buf[a+mapCreateExtra:], mp.extra)
	return a
}

// progAttr lays out the attributes of a PROG_LOAD.
func (m *image) progAttr(p *plan, prog *progPlan) int {
	a := m.alloc(progLoadLen)
	m.put32(a+progLoadType, uint32(prog.spec.Type))
	m.put32(a+progLoadInsnCount, uint32(len(prog.insns)/8))
	m.put32(a+progLoadFlags, prog.spec.Flags)
	copy(m.buf[a+progLoadName:], prog.kernelName)
	m.put32(a+progLoadAttachType, uint32(prog.spec.AttachType))
	if p.obj.btf != nil && len(prog.funcs) > 0 {
		m.put32(a+progLoadFuncSize, funcRecordSize)
		m.put32(a+progLoadFuncCount, uint32(len(prog.funcs)/funcRecordSize))
		m.put32(a+progLoadLineSize, lineRecordSize)
		m.put32(a+progLoadLineCount, uint32(len(prog.lines)/lineRecordSize))
		if len(prog.relos) > 0 {
			m.put32(a+progLoadReloSize, reloRecordSize)
			m.put32(a+progLoadReloCount, uint32(len(prog.relos)/reloRecordSize))
		}
	}
	return a
}

// addBlobs appends what the attributes point to.
func (m *image) addBlobs(p *plan) {
	licenses := make(map[string]int)
	for _, mp := range p.maps {
		img := m.maps[mp]
		if mp.data != nil {
			img.data = m.add(mp.data)
			mp.contentsAt = uint32(img.data)
		}
		if mp.arena != nil {
			mp.contentsAt = uint32(m.add(mp.arena.data))
		}
		for _, placed := range mp.placed {
			img.values = append(img.values, m.add(placed.value))
		}
		for _, e := range mp.entries {
			img.keys = append(img.keys, m.add(e.key))
		}
		m.maps[mp] = img
	}
	m.addProbes(p)
	for _, s := range p.symbols {
		m.syms = append(m.syms, m.add(append([]byte(s.name), 0)))
	}
	if p.obj.btf != nil {
		data := p.obj.btf.encode()
		m.btfData = m.add(data)
		m.put32(m.btf+btfLoadSize, uint32(len(data)))
	}
	for _, prog := range p.progs {
		img := m.prog[prog]
		license := prog.spec.License
		if _, ok := licenses[license]; !ok {
			licenses[license] = m.add(append([]byte(license), 0))
		}
		img.license = licenses[license]
		if prog.target.lookup != "" {
			img.lookup = m.add(append([]byte(prog.target.lookup), 0))
		}
		img.insns, img.funcs, img.lines, img.relo = m.add(prog.insns), m.add(prog.funcs), m.add(prog.lines), m.add(prog.relos)
		m.prog[prog] = img
	}
}

// alloc reserves zeroes at an offset that is a multiple of eight.
func (m *image) alloc(size int) int {
	off := len(m.buf)
	m.buf = append(m.buf, make([]byte, (size+7)&^7)...)
	return off
}

// add appends bytes at an offset that is a multiple of eight.
func (m *image) add(b []byte) int {
	off := m.alloc(len(b))
	copy(m.buf[off:], b)
	return off
}

func (m *image) put32(off int, v uint32) { binary.LittleEndian.PutUint32(m.buf[off:], v) }

// fd is the offset of an entry of the table of file descriptors.
func (m *image) fd(i int) int { return m.fds + 4*i }

// check refuses what no kernel would hash.
func (m *image) check(insns []byte) error {
	if n := len(m.buf) + len(insns); n > maxPayload {
		return &UnsupportedError{Name: "object", Why: fmt.Sprintf("loader program and metadata take %d bytes: more than %d", n, maxPayload)}
	}
	return nil
}
