// Package corpus tries tbpf on objects that nobody wrote for it: those of
// Debian's xdp-tools, those inside the programs of its libbpf-tools and systemd,
// those of cilium/ebpf in the module cache, the kernel's own selftests, and the
// fixtures for comparison. Each is sealed, verified and loaded on real kernels,
// or refused with a reason; beside it stands whether cilium/ebpf or libbpf loads
// the same object unsigned, and what became of it where bpftool signed it.
//
// Its test makes testdata/results.json, and docs/compatibility.md from that.
// Only tests and internal/corpus/guest import it.
package corpus

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The sources, as results and documents name them.
const (
	Fixtures = "testdata"
	Cilium   = "cilium/ebpf"
	XDPTools = "xdp-tools"

	// Objects that stand inside programs.
	LibbpfTools = "libbpf-tools"
	Systemd     = "systemd"

	Selftests = "selftests" // the kernel's
)

// Object is one BPF object somewhere on this machine.
type Object struct {
	Source string
	Name   string // relative to its source
	Path   string
}

// Source is a set of objects with the version it came in.
type Source struct {
	Name    string
	Version string // empty for the fixtures
	Note    string // on what there is beside the objects
	Objects []Object
}

// FindCilium lists cilium/ebpf's little-endian objects: tests and examples of
// the version that this module requires.
func FindCilium(ctx context.Context) (*Source, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", "github.com/cilium/ebpf").Output()
	if err != nil {
		return nil, fmt.Errorf("find cilium/ebpf: %w", err)
	}
	version, dir, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok {
		return nil, fmt.Errorf("find cilium/ebpf: %s is not in the module cache", version)
	}
	return find(Cilium, version, dir, regexp.MustCompile(`(-el\.elf|_bpfel\.o)$`))
}

// FindXDPTools lists the objects that scripts/install-tools xdp-tools fetched
// into the cache. Without them the error is fs.ErrNotExist.
func FindXDPTools(cache string) (*Source, error) {
	root := filepath.Join(cache, "tools", "xdp-tools")
	changes, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/changelog.Debian.gz"))
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("find xdp-tools: no change log beneath %s: %w", root, os.ErrNotExist)
	}
	version, err := debianVersion(changes[0])
	if err != nil {
		return nil, fmt.Errorf("find version of xdp-tools: %w", err)
	}
	return find(XDPTools, version, root, regexp.MustCompile(`/bpf/[^/]*\.o$`))
}

// FindSelftests lists the objects that scripts/fetch-selftests compiled. Without
// them the error is fs.ErrNotExist.
func FindSelftests(cache string) (*Source, error) {
	version, err := os.ReadFile(filepath.Join(cache, "selftests", "version"))
	if err != nil {
		return nil, fmt.Errorf("find version of the selftests: %w", err)
	}
	summary, err := os.ReadFile(filepath.Join(cache, "selftests", "summary"))
	if err != nil {
		return nil, fmt.Errorf("find summary of the selftests: %w", err)
	}
	s, err := find(Selftests, strings.TrimSpace(string(version)), filepath.Join(cache, "selftests", "objects"), regexp.MustCompile(`\.bpf\.o$`))
	if err != nil {
		return nil, err
	}
	s.Note = strings.TrimSpace(string(summary))
	return s, nil
}

// FindFixtures lists the objects of testdata, those to be refused included.
func FindFixtures(testdata string) (*Source, error) {
	return find(Fixtures, "", testdata, regexp.MustCompile(`\.bpf\.o$`))
}

// find lists the files beneath dir whose path matches, by name.
func find(source, version, dir string, pattern *regexp.Regexp) (*Source, error) {
	s := &Source{Name: source, Version: version}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !pattern.MatchString(filepath.ToSlash(path)) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		if source == XDPTools { // the rest of the path differs between architectures
			name = filepath.Base(name)
		}
		s.Objects = append(s.Objects, Object{Source: source, Name: name, Path: path})
		return err
	})
	if err == nil && len(s.Objects) == 0 {
		err = fmt.Errorf("no objects beneath %s: %w", dir, os.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("find objects of %s: %w", source, err)
	}
	slices.SortFunc(s.Objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// debianVersion reads the newest version in a Debian change log, whose first
// line is "package (version) suite; ...".
func debianVersion(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	start := make([]byte, 256)
	n, err := io.ReadFull(unpacked, start)
	if err != nil && err != io.ErrUnexpectedEOF {
		return "", err
	}
	match := regexp.MustCompile(`^\S+ \(([^)]+)\)`).FindSubmatch(start[:n])
	if match == nil {
		return "", fmt.Errorf("%s does not begin like a Debian change log", path)
	}
	return string(match[1]), nil
}
