//go:build linux

package trusted

import (
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/loader"
)

// Fits reports whether everything that a record names is in the kernel and
// pinned where it says, nothing else is, and each link is attached to something.
// Boot, version and digests are for the caller to compare.
func Fits(o *record.Object, kernel *loader.Report) bool { return inKernel(o, kernel) }
