//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/trusted"
)

// load loads sealed files, in order, each wholly or not at all. The first
// failure ends it, and its exit code is the command's.
func load(files []string, stdout, stderr io.Writer) int {
	watchdog := time.AfterFunc(readTime, func() {
		fmt.Fprintln(stderr, "tbpf-loader: error: the machine's policy and keyring were not read in time")
		os.Exit(exitFailed)
	})
	system, err := trusted.Open()
	watchdog.Stop()
	if err != nil {
		return complain(stderr, err)
	}
	for _, file := range files {
		state, object, err := system.Report(&bootset.Entry{Source: file, File: file, Pin: bootset.DefaultPin, Timeout: loadTime})
		if err != nil {
			verifierLog(stderr, err)
			return complain(stderr, fmt.Errorf("%s: %w", file, err))
		}
		fmt.Fprintln(stdout, report.Text(fmt.Sprintf("%s: %s, version %d: %v, profile %s, signature checked by %s", file, object.Name, object.Version, state, object.Profile, object.Verifier())))
	}
	if err := system.Close(); err != nil {
		return complain(stderr, err)
	}
	return 0
}

// loadTime is how long one object may take.
const loadTime = time.Minute

// lastLines are the last lines of a text.
func lastLines(text string, n int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if text == "" {
		return nil
	}
	return lines[max(0, len(lines)-n):]
}
