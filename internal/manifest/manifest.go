// Package manifest is what a signature says, in words: the in-toto Statement
// whose subject is the object and whose predicate lists everything that the
// loader programs do to the kernel.
//
// Encode and Decode are each other's inverse. Decode is strict: it refuses
// unknown, duplicate and case-folded fields, trailing bytes and values out of
// range, and it is called only on bytes whose signature was checked.
//
// sign, verify, loader and the command line import it. It imports bpfabi,
// loadctx and strictjson and nothing else of tbpf.
package manifest

import "time"

// Media and predicate types, fixed in docs/format.md.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PayloadType   = "application/vnd.in-toto+json"
	PredicateType = "https://github.com/trustedbpf/tbpf/manifest/v1"
)

// Values of Attach.By, Attach.Input, Program.Flags, Map.Pinning and Symbol.Kind.
const (
	AttachByKernel = "kernel"
	AttachByBroker = "broker"
	AttachByNone   = "none"

	InputInterface = "ifindex"
	InputCgroup    = "cgroup"
	InputNetns     = "netns"
	InputProgram   = "program" // a pinned one, of which AttachTarget is a function

	// Of programs that the broker attaches.
	InputFunction      = "kernel-function"
	InputSyscall       = "syscall"
	InputUserFunction  = "user-function"
	InputTracepoint    = "tracepoint"
	InputRawTracepoint = "raw-tracepoint"

	FlagSleepable   = "sleepable"
	FlagXDPHasFrags = "xdp-has-frags"

	PinningByName = "by-name"

	SymbolKfunc    = "kfunc"
	SymbolVariable = "variable"
	SymbolAddress  = "address"
)

// Manifest is the statement about one object. Slices keep the order in which
// the loader program works; the indexes that it reports refer to them.
type Manifest struct {
	Object       Object            `json:"-"`                     // the statement's subject
	Name         string            `json:"name"`                  // what policy, rollback and pins call it
	Version      uint64            `json:"version"`               // for rollback; 0 if none was given
	Created      time.Time         `json:"created"`               // UTC, whole seconds: what the signer claims
	NotAfter     *time.Time        `json:"notAfter,omitempty"`    // UTC, whole seconds
	Annotations  map[string]string `json:"annotations,omitempty"` // git revision, builder, ...
	Architecture string            `json:"architecture"`          // "any", "x86_64", "arm64": what the programs' register layout assumes
	ByteOrder    string            `json:"byteOrder"`             // "little" or "big"
	ObjectSize   uint64            `json:"objectSize"`            // bytes
	Context      uint32            `json:"contextSize"`           // bytes of the loader programs' context (package loadctx)
	Profiles     []Profile         `json:"profiles"`              // those present, strongest first
	KernelSigner *KernelSigner     `json:"kernelSigner,omitempty"`
	Certificates []string          `json:"certificates,omitempty"` // sha256 of every other certificate in the seal, hex, sorted
	Programs     []Program         `json:"programs"`
	Maps         []Map             `json:"maps"`
	Globals      []Global          `json:"globals"`
	Tunables     []Tunable         `json:"tunables,omitempty"` // sorted by name
	Symbols      []Symbol          `json:"symbols"`            // kernel symbols and kfuncs that the loader resolves
	Delegation   Delegation        `json:"delegation"`
	Capabilities []string          `json:"capabilities"` // "CAP_BPF", ...: sorted, the least that loading takes
	Kernel       KernelNeeds       `json:"kernel"`
}

// Object is the statement's subject: the object file before signing.
type Object struct {
	Name   string // its file name, without directory
	SHA256 string // lower-case hex
}

// Blob identifies bytes in the seal.
type Blob struct {
	SHA256 string `json:"sha256"` // lower-case hex
	Length uint64 `json:"length"` // bytes
}

// Profile is one loader program and the metadata it runs on.
type Profile struct {
	Name     string `json:"name"` // a bpfabi.Profile
	Loader   Blob   `json:"loader"`
	Metadata Blob   `json:"metadata"`
}

// KernelSigner names the one key that made the kernel signatures. Without it
// the seal holds none.
type KernelSigner struct {
	KeyID       string `json:"keyId"`       // sha256 of the SubjectPublicKeyInfo, hex
	Certificate string `json:"certificate"` // sha256 of the DER certificate, hex
	// Chain says that the kernel signatures carry certificates, for keyrings that
	// have only a CA, and which: the sha256 of each, hex, Certificate first, then
	// the CAs on the way to the one that is not in it.
	Chain []string `json:"chain,omitempty"`
}

// Program is one program that the loader puts into the kernel.
type Program struct {
	Name         string   `json:"name"`       // the function's name in the object
	KernelName   string   `json:"kernelName"` // the same, cut to the kernel's 15 bytes
	Section      string   `json:"section"`    // ELF section, with "?" if it has one
	Type         string   `json:"type"`       // "lsm", "xdp", ... (package bpfabi)
	AttachType   string   `json:"attachType"` // expected_attach_type: "lsm_mac", ...; "" if 0 and unused
	AttachTarget string   `json:"attachTarget,omitempty"`
	Attach       Attach   `json:"attach"`
	Optional     bool     `json:"optional,omitempty"` // SEC("?..."): skipped where the target is absent
	Flags        []string `json:"flags,omitempty"`    // "sleepable", "xdp-has-frags"
	License      string   `json:"license"`
	Instructions Blob     `json:"instructions"`
	Helpers      []string `json:"helpers,omitempty"` // "bpf_ringbuf_reserve", sorted
	Kfuncs       []string `json:"kfuncs,omitempty"`  // sorted
	Maps         []string `json:"maps,omitempty"`    // names of maps that it refers to, sorted
	Slot         int      `json:"slot"`              // of its file descriptor in the context
}

// Attach says who attaches a program, and to what.
type Attach struct {
	// By is "kernel" (inside the loader program), "broker" (by the loader in
	// user space, to AttachTarget or the input) or "none" (only loaded).
	By string `json:"by"`
	// Link is the slot of the link that "kernel" gives, -1 otherwise.
	Link int `json:"link"`
	// Input is the kind of target that the machine names: "ifindex", "cgroup",
	// "netns", "program", for the broker "kernel-function", "syscall", "user-function",
	// "tracepoint", "raw-tracepoint"; empty if the target is under the signature.
	Input string `json:"input,omitempty"`
	// InputSlot is where the loader program reads the target; -1 without Input
	// and where the broker attaches. A value of -1 in that slot means: load, do
	// not attach; of a program that replaces a function: do not load.
	InputSlot int `json:"inputSlot"`
}

// Map is one map that the loader creates.
type Map struct {
	Name       string `json:"name"` // in the object, ".rodata" for data sections
	KernelName string `json:"kernelName"`
	Type       string `json:"type"` // "hash", "ringbuf", ... (package bpfabi)
	KeySize    uint32 `json:"keySize"`
	ValueSize  uint32 `json:"valueSize"`
	MaxEntries uint32 `json:"maxEntries"`
	Flags      uint32 `json:"flags"` // map_flags, without the token's
	Extra      uint64 `json:"extra,omitempty"`
	InnerMap   *Map   `json:"innerMap,omitempty"` // map in map: the template of the inner map; its Slot is -1
	Contents   *Blob  `json:"contents,omitempty"` // of initial values, as docs/format.md encodes them
	Frozen     bool   `json:"frozen,omitempty"`
	Slot       int    `json:"slot"`
	// PerCPU says that the map gets as many entries as the machine has possible
	// CPUs, at most MaxEntries. The loader program reads their number from the
	// slot that follows Slot.
	PerCPU bool `json:"perCPU,omitempty"`
	// Pinning is "by-name" if the object asks for that: a loader of another
	// kind would share the map with other objects. tbpf keeps it for newer
	// versions of the same one.
	Pinning string `json:"pinning,omitempty"`
	// Keep says that a newer version of the object takes the map over, with what
	// is in it: the loader program reads the map's descriptor from KeepSlot, and
	// makes a new one if there is none. It is the digest of the types of keys and
	// values (kernelbtf.MapTypes), in hex, which must be the same in both.
	Keep string `json:"keep,omitempty"`
	// Mode is that of the map's pin, where it is not 0600: four octal digits.
	Mode string `json:"mode,omitempty"`
	// StructOps is there for struct_ops maps, and ValueSize then is that of the
	// largest layout.
	StructOps *StructOps `json:"structOps,omitempty"`
	// ContentsAt is where the signed metadata has the contents of a data section
	// or an arena, in bytes.
	ContentsAt uint32 `json:"contentsAt,omitempty"`
	// ArenaOffset is where in an arena its contents go, in bytes. No loader program
	// can write them: the loader does, before it attaches what uses them.
	ArenaOffset uint32 `json:"arenaOffset,omitempty"`
}

// ArenaPage is the size in bytes of the pages that max_entries of an arena counts,
// at least: some machines have larger ones.
const ArenaPage = 4096

// Global is one variable of a data section.
type Global struct {
	Name   string `json:"name"`
	Map    string `json:"map"` // ".rodata", ".data", ".bss", ...
	Offset uint32 `json:"offset"`
	Size   uint32 `json:"size"`
	Type   string `json:"type,omitempty"`  // C type, where BTF has it
	Value  string `json:"value,omitempty"` // initial bytes, hex; empty for zeroes and for more than 64 bytes
}

// Symbol is one kernel symbol that the loader resolves when it runs.
type Symbol struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // "kfunc", "variable" (typed), "address" (typeless)
	Weak bool   `json:"weak,omitempty"`
}

// Delegation is the least that a BPF token must allow, by the names that the
// bpffs mount options take; each list is sorted by the kernel's numbers.
type Delegation struct {
	Commands    []string `json:"commands"`
	Maps        []string `json:"maps"`
	Programs    []string `json:"programs"`
	AttachTypes []string `json:"attachTypes"`
}

// KernelNeeds is what a kernel must have for the object to load.
type KernelNeeds struct {
	Minimum string `json:"minimum"` // "5.17": the oldest release that has all of Needs
	BTF     bool   `json:"btf"`     // /sys/kernel/btf/vmlinux
	LSM     bool   `json:"lsm"`     // "bpf" in the list of active LSMs
	Needs   []Need `json:"needs,omitempty"`
}

// Need is one feature with the release that brought it.
type Need struct {
	Feature string `json:"feature"` // "map type arena", "helper bpf_...", "tcx links"
	Since   string `json:"since"`   // "6.9"
}
