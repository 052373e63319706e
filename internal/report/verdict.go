package report

// Verdict is what became of one file. The values are stable: these, and those
// that the errors of packages verify and loader have.
type Verdict string

// Verdicts that no error of those packages has.
const (
	Done     Verdict = "done"     // made what was asked for
	Verified Verdict = "verified" // every signature and rule holds
	Loaded   Verdict = "loaded"   // verified and in the kernel
	Failed   Verdict = "error"    // operational: input, output, internal
)

// Exit codes of a process that no verdict has.
const (
	ExitFailed = 1
	ExitUsage  = 2
	ExitSignal = 128 // plus the signal's number
)

// Outcome is how the work on one file went.
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // kebab-case, why it is not what was asked for
	Error   string  `json:"error,omitempty"`  // one line, as on standard error
	Code    int     `json:"-"`                // exit code
}

// Result begins the entry of one file where a command takes several.
type Result struct {
	Path string `json:"path"`
	Outcome
	ExitCode int `json:"exitCode"` // of this file alone
}

// NewResult begins the entry of a file.
func NewResult(path string, o Outcome) Result {
	return Result{Path: Name(path), Outcome: o, ExitCode: o.Code}
}
