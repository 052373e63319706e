package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/sorted"
)

// attachFunctions attaches one program to all kernel functions that its signed
// target matches.
func attachFunctions(p *manifest.Program, target string, prog *bpfsys.FD, attachType bpfabi.AttachType) (*bpfsys.FD, error) {
	functions := []string{target}
	if strings.ContainsAny(target, "*?") {
		var err error
		if functions, err = matchFunctions(target); err != nil {
			return nil, err
		}
	}
	return bpfsys.CreateKProbeMultiLink(prog, attachType, functions, sectionKind(p) == "kretprobe.multi")
}

// attachUserFunctions attaches one program to the functions of a file that its
// target matches.
func attachUserFunctions(p *manifest.Program, target string, prog *bpfsys.FD, attachType bpfabi.AttachType) (*bpfsys.FD, error) {
	file, offsets, err := userFunctions(target, true)
	if err != nil {
		return nil, err
	}
	return bpfsys.CreateUProbeMultiLink(prog, attachType, file, offsets, strings.HasPrefix(sectionKind(p), "uret"))
}

// unknownPattern refuses what others read in another way.
func unknownPattern(pattern string) error {
	return fmt.Errorf("pattern %q: only * and ? are known: %w", pattern, unix.EOPNOTSUPP)
}

// matchFunctions lists the functions that can be probed and match a pattern of
// *, which stands for any characters, and ?, which stands for one.
func matchFunctions(pattern string) ([]string, error) {
	if strings.ContainsAny(pattern, `[\\`) {
		return nil, unknownPattern(pattern)
	}
	list, err := readTracefs("available_filter_functions")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range bytes.Lines(list) {
		name, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" ")) // a module's name follows
		if bytes.HasPrefix(name, []byte("__ftrace_invalid_address___")) {
			continue // a weak function that another took the place of
		}
		if ok, err := path.Match(pattern, string(name)); err != nil {
			return nil, err
		} else if ok {
			found = append(found, string(name))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no kernel function matches: %w", unix.ENOENT)
	}
	sorted.Strings(found)
	return slices.Compact(found), nil
}

// readTracefs reads a file of tracefs, which is mounted in one of two places.
func readTracefs(name string) ([]byte, error) {
	for _, root := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(path.Join(root, "events")); err == nil {
			return os.ReadFile(path.Join(root, name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("tracefs is not mounted on /sys/kernel/tracing: %w", unix.EOPNOTSUPP)
}
