package loader

// Report is what is in the kernel: the result of a load, and what status finds.
// Names come from the object and are not escaped.
type Report struct {
	Name           string          `json:"name"`
	Version        uint64          `json:"version"`
	Digest         string          `json:"digest"`  // of the object: "sha256:..."
	Profile        string          `json:"profile"` // "bound", "selfcheck-excl", "selfcheck", "unsigned"
	KernelVerified bool            `json:"kernelVerified"`
	Token          bool            `json:"token"`
	Programs       []ProgramReport `json:"programs"`
	Maps           []MapReport     `json:"maps"`
	Links          []LinkReport    `json:"links"`
	Pins           []string        `json:"pins"`
	// Tunables are the variables and sizes that could be set, if this is the
	// result of a load.
	Tunables []TunableReport `json:"tunables,omitempty"`
}

// TunableReport is the value that a tunable got.
type TunableReport struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Set   bool   `json:"set"` // by who loaded it; otherwise it is the object's own, or what Source says
	// Source is "kconfig" of a fact about the kernel: what it is, or zero.
	Source string `json:"source,omitempty"`
}

// ProgramReport is one program.
type ProgramReport struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	ID       uint32 `json:"id"`                // 0 if it was skipped
	Tag      string `json:"tag"`               // hex
	Attached string `json:"attached"`          // "kernel", "broker", or empty
	Target   string `json:"target,omitempty"`  // what it is attached to
	Skipped  bool   `json:"skipped,omitempty"` // optional, and its target is not in this kernel
	LoadTime uint64 `json:"-"`                 // ns since boot
}

// MapReport is one map.
type MapReport struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	ID         uint32 `json:"id"`
	KeySize    uint32 `json:"keySize"`
	ValueSize  uint32 `json:"valueSize"`
	MaxEntries uint32 `json:"maxEntries"`
}

// LinkReport is one attachment.
type LinkReport struct {
	Program string `json:"program,omitempty"`
	Map     string `json:"map,omitempty"` // of struct_ops, instead of a program
	Type    string `json:"type"`
	ID      uint32 `json:"id"`
	Target  string `json:"target,omitempty"`
	// ProgramID is that of the program that it runs.
	ProgramID uint32 `json:"-"`
}
