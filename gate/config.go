package gate

import (
	"crypto/sha256"
	"encoding/binary"
)

// Serials is the number of user keyrings that can be pinned.
const Serials = 4

const (
	configMaps  = 16
	configSize  = 176
	stateSize   = 96
	listedSize  = 24
	fileSize    = 16
	programName = "gate_bpf" // the program by which a gate is found
)

// Digest is a SHA-256.
type Digest = [sha256.Size]byte

// FileID is a file as the kernel numbers it.
type FileID struct {
	Inode  uint64
	Device uint32 // major << 20 | minor
}

// config is what is frozen into the gate (object/config.h, struct gate_config).
type config struct {
	mode     Mode
	test     uint32 // process that is judged although the gate is not armed
	keyrings uint32 // bit n: a system keyring of type n may verify
	serials  [Serials]int32
	bpffs    uint32 // device of the pins
	loader   uint32 // process that armed it
	maps     [configMaps]uint32
	binary   FileID // of the trusted loader
	state    Digest
	floor    Digest
}

func (c *config) encode() []byte {
	ne := binary.NativeEndian
	b := ne.AppendUint32(make([]byte, 0, configSize), uint32(c.mode))
	b = ne.AppendUint32(b, c.test)
	b = ne.AppendUint32(b, c.keyrings)
	for _, serial := range c.serials {
		b = ne.AppendUint32(b, uint32(serial))
	}
	b = ne.AppendUint32(b, c.bpffs)
	b = ne.AppendUint32(b, c.loader)
	for _, id := range c.maps {
		b = ne.AppendUint32(b, id)
	}
	b = ne.AppendUint32(b, c.binary.Device)
	b = ne.AppendUint64(b, c.binary.Inode)
	b = append(b, c.state[:]...)
	return append(b, c.floor[:]...)
}

func decodeConfig(b []byte) (c config, ok bool) {
	if len(b) != configSize {
		return config{}, false
	}
	ne := binary.NativeEndian
	word := func(i int) uint32 { return ne.Uint32(b[4*i:]) }
	c.mode, c.test, c.keyrings = Mode(word(0)), word(1), word(2)
	for i := range c.serials {
		c.serials[i] = int32(word(3 + i))
	}
	c.bpffs, c.loader = word(7), word(8)
	for i := range c.maps {
		c.maps[i] = word(9 + i)
	}
	c.binary = FileID{Device: word(25), Inode: ne.Uint64(b[104:])}
	copy(c.state[:], b[112:])
	copy(c.floor[:], b[144:])
	return c, word(0) <= uint32(Enforce)
}

// memory is what the gate's programs remember (struct gate_state).
type memory struct {
	events uint64
	mount  uint64
	dead   uint32 // bit n: serials[n] is gone
}

func decodeMemory(b []byte) (m memory, ok bool) {
	if len(b) != stateSize {
		return memory{}, false
	}
	ne := binary.NativeEndian
	return memory{events: ne.Uint64(b), mount: ne.Uint64(b[8:]), dead: ne.Uint32(b[20:])}, true
}

func (f FileID) encode() []byte {
	ne := binary.NativeEndian
	b := ne.AppendUint64(make([]byte, 0, fileSize), f.Inode)
	b = ne.AppendUint32(b, f.Device)
	return ne.AppendUint32(b, 0)
}

// Allow is an entry of the allow list: an executable that may load programs
// without a signature.
type Allow struct {
	Exe  FileID
	Tags [][8]byte // of the programs; none: every program
}

// keys are the entry's keys in the kernel's map.
func (a *Allow) keys() [][]byte {
	exe := a.Exe.encode()
	key := func(tag [8]byte) []byte { return append(append(make([]byte, 0, listedSize), exe...), tag[:]...) }
	if len(a.Tags) == 0 {
		return [][]byte{key([8]byte{})}
	}
	list := [][]byte{key([8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})}
	for _, tag := range a.Tags {
		list = append(list, key(tag))
	}
	return list
}
