// Package buildinfo says which build of tbpf this is. The linker sets what the
// Makefile knows; the rest comes from the Go toolchain's record in the binary.
//
// The commands import it. It imports nothing of tbpf.
package buildinfo

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// Set with -ldflags -X and never written otherwise.
var (
	version    string // "v1.2.3"
	revision   string // git commit
	sourceDate string // seconds since 1970 of that commit
)

// Info is what there is to know about the build.
type Info struct {
	Version  string    // "devel" when nobody named one
	Revision string    // git commit, empty if not known
	Date     time.Time // of the sources, UTC; zero if not known
	Go       string    // toolchain
	Platform string    // "linux/amd64"
}

// Read returns the information.
func Read() Info {
	info := Info{
		Version:  version,
		Revision: revision,
		Date:     seconds(sourceDate),
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				if info.Revision == "" {
					info.Revision = s.Value
				}
			case "vcs.time":
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil && info.Date.IsZero() {
					info.Date = t.UTC()
				}
			}
		}
	}
	if info.Version == "" {
		info.Version = "devel"
	}
	return info
}

// Clock is now, but never before the sources of this binary were written: a
// machine without a battery for its clock boots in 1970, where every
// certificate is not yet valid and no revocation has happened.
func Clock(now time.Time) time.Time { return notBefore(now, Read().Date) }

func notBefore(now, date time.Time) time.Time {
	if now.Before(date) {
		return date
	}
	return now
}

func seconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
