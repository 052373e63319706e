package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/elfsym"
)

// probe is an event of one of the kernel's PMUs for probes. Their numbers are
// not constants (Documentation/ABI/testing/sysfs-bus-event_source-devices-*).
func probe(pmu string, ret bool, name string, offset uint64) (bpfsys.PerfEvent, error) {
	dir := path.Join("/sys/bus/event_source/devices", pmu)
	number, err := readNumber(path.Join(dir, "type"), "")
	if errors.Is(err, fs.ErrNotExist) {
		return bpfsys.PerfEvent{}, fmt.Errorf("this kernel has no %ss: %w", pmu, unix.EOPNOTSUPP)
	}
	if err != nil {
		return bpfsys.PerfEvent{}, err
	}
	event := bpfsys.PerfEvent{Type: uint32(number), Name: name, Offset: offset, PID: -1}
	if ret {
		bit, err := readNumber(path.Join(dir, "format/retprobe"), "config:")
		if err != nil {
			return event, err
		}
		if bit > 63 {
			return event, fmt.Errorf("retprobe is bit %d", bit)
		}
		event.Config = 1 << bit
	}
	return event, nil
}

// tracepointEvent is the event of a tracepoint, "category/name". Its number is
// in tracefs.
func tracepointEvent(target string) (bpfsys.PerfEvent, error) {
	category, name, ok := strings.Cut(target, "/")
	if !ok || !plainName(category) || !plainName(name) {
		return bpfsys.PerfEvent{}, fmt.Errorf("target %q is no tracepoint", target)
	}
	b, err := readTracefs(path.Join("events", category, name, "id"))
	if err != nil {
		return bpfsys.PerfEvent{}, err
	}
	number, err := parseNumber(b, "")
	return bpfsys.PerfEvent{Type: unix.PERF_TYPE_TRACEPOINT, Config: number, PID: -1}, err
}

// plainName reports whether s names one thing beneath a directory.
func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

// readNumber reads a file of sysfs or tracefs that holds one decimal number.
func readNumber(file, prefix string) (uint64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return parseNumber(b, prefix)
}

// parseNumber reads such a file's contents.
func parseNumber(b []byte, prefix string) (uint64, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), prefix)
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || !ok {
		return 0, fmt.Errorf("%q is no number", b)
	}
	return n, nil
}

// userFunction is the one place of a uprobe's target.
func userFunction(target string) (file string, offset uint64, err error) {
	file, offsets, err := userFunctions(target, false)
	if err != nil {
		return "", 0, err
	}
	return file, offsets[0], nil
}

// userFunctions reads a uprobe's target, "/path:function", "/path:function+offset"
// or "/path:0xoffset", and finds its places in the file. For those that may have
// several, the function may be a pattern; for others * is part of a name, as
// methods of Go have it.
func userFunctions(target string, several bool) (file string, offsets []uint64, err error) {
	file, where, ok := strings.Cut(target, ":")
	if !ok || where == "" {
		return "", nil, fmt.Errorf("target %q names no function", target)
	}
	if !filepath.IsAbs(file) {
		return "", nil, fmt.Errorf("target %q has no absolute path: what it means depends on where the loader looks", target)
	}
	if n, err := strconv.ParseUint(where, 0, 63); err == nil {
		return file, []uint64{n}, nil
	}
	name, add, err := splitOffset(where)
	if err != nil {
		return "", nil, err
	}
	pattern := several && strings.ContainsAny(name, "*?")
	if pattern && strings.ContainsAny(name, `[\\`) {
		return "", nil, unknownPattern(name)
	}
	offsets, err = symbolOffsets(file, name, pattern)
	for i := range offsets {
		offsets[i] += add
	}
	return file, offsets, err
}

// symbolOffsets finds functions in an ELF file, as offsets in the file.
func symbolOffsets(file, name string, pattern bool) (offsets []uint64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	offsets, err = elfsym.FunctionOffsets(f, info.Size(), func(have []byte) bool {
		if !pattern {
			return string(have) == name
		}
		ok, err := path.Match(name, string(have))
		return ok && err == nil
	})
	if errors.Is(err, elfsym.ErrNotFound) {
		return nil, fmt.Errorf("%s has no function %q: %w", file, name, unix.ENOENT)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return offsets, nil
}
