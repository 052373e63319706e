//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/trustedbpf/tbpf/internal/corpus"
)

// bareLoader loads objects as they are. libbpf is asked about those that
// cilium/ebpf does not load: to start it takes longer than the load.
func bareLoader(dir string) (loadFunc, error) {
	return func(task corpus.Task) (tried corpus.Tried, err error) {
		path := filepath.Join(dir, task.Object)
		object, err := os.ReadFile(path)
		if err != nil {
			return tried, err
		}
		if tried.Bare = loadBare(object, new(comparison)); tried.Bare != corpus.Loaded {
			tried.Libbpf = loadLibbpf(path)
		}
		return tried, nil
	}, nil
}

// loadBare is what a program without tbpf would do.
func loadBare(object []byte, same *comparison) string {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return short(err)
	}
	if len(spec.Programs)+len(spec.Maps) == 0 {
		return "it has neither programs nor maps" // of which LoadCollection makes nothing
	}
	pins, err := os.MkdirTemp("/sys/fs/bpf", "bare")
	if err != nil {
		return short(err)
	}
	defer os.RemoveAll(pins)
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Maps: ebpf.MapOptions{PinPath: pins}, Programs: ebpf.ProgramOptions{LogDisabled: true},
	})
	if err != nil {
		return short(err)
	}
	same.readBare(spec, coll)
	coll.Close()
	return corpus.Loaded
}

// loadLibbpf has bpftool load all programs of an object, which is what libbpf
// does with them, and takes them out again.
func loadLibbpf(path string) string {
	const pins = "/sys/fs/bpf/libbpf"
	defer clear("/sys/fs/bpf") // maps that are pinned by name are there
	tool := exec.Command(corpus.BpftoolLinker, "--library-path", corpus.BpftoolLibraries, corpus.BpftoolProgram,
		"prog", "loadall", path, pins)
	var said strings.Builder
	tool.Stderr = &said
	err := tool.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return corpus.Loaded
	case errors.As(err, &exit) && strings.Contains(said.String(), "failed to pin all programs"):
		return loadedSome(path) // bpftool pins those as well that libbpf does not load
	case errors.As(err, &exit):
		return short(errors.New(libbpfReason(said.String())))
	default:
		return short(err)
	}
}

// loadedSome tells an object of which libbpf loaded all that is not optional from
// one of which there was nothing to load: all programs are in sections that begin
// with "?".
func loadedSome(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return short(err)
	}
	defer file.Close()
	for _, section := range file.Sections {
		code := section.Flags&elf.SHF_EXECINSTR != 0 && section.Size > 0
		if code && section.Name != ".text" && !strings.HasPrefix(section.Name, "?") {
			return corpus.Loaded
		}
	}
	return "all of its programs are optional"
}

// libbpfReason is the line that says most: libbpf says first what went wrong,
// bpftool last what it could not do then.
func libbpfReason(said string) string {
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "libbpf: ") && !strings.Contains(line, "PROG LOAD LOG") && strings.Contains(line, "failed") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}

// clear empties a directory of pins.
func clear(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}
