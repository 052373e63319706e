package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// tools are the command lines that contestants begin with.
type tools struct {
	root     string   // of the module
	bin      string   // where tbpf and the peers are
	bpftool  []string // without the script around it
	openssl  string
	compiler string // for the light skeleton in C
	include  string // where libbpf's headers are
}

// findTools finds what others made and builds what is made here.
func findTools(dir string) (t tools, err error) {
	out, err := output("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return t, err
	}
	t.root = strings.TrimSpace(string(out))
	t.bin = filepath.Join(dir, "bin")
	built := filepath.Join(dir, "built")
	for _, one := range []struct {
		experiment string
		arguments  []string
	}{
		{"", []string{"-ldflags=-s -w", "./cmd/...", "./internal/bench/peer/..."}},
		{"nogreenteagc", []string{"-gcflags=all=-l", "-ldflags=-s -w -funcalign=1", "./cmd/tbpf-loader"}}, // as the Makefile has it: small
	} {
		build := exec.Command("go", append([]string{"build", "-C", t.root, "-trimpath", "-o", built + "/"}, one.arguments...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT="+one.experiment)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return t, fmt.Errorf("build the contestants: %w", err)
		}
	}
	if err := install(built, t.bin); err != nil {
		return t, err
	}
	if t.openssl, err = exec.LookPath("openssl"); err != nil {
		return t, missing(err, "openssl")
	}
	wrapper, err := exec.LookPath("bpftool")
	if err != nil {
		return t, missing(err, "bpftool")
	}
	if t.compiler, err = exec.LookPath("cc"); err != nil {
		return t, fmt.Errorf("%w: install gcc and libc6-dev", err)
	}
	if t.bpftool, err = unwrap(wrapper); err != nil {
		return t, err
	}
	t.include, err = headers()
	return t, err
}

// install copies programs, as an installation does. It matters: what a linker
// has just written lies in the page cache in small pieces, of which a start
// faults in many more (a sixth of tbpf's start).
func install(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		program, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), program, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func missing(err error, tool string) error {
	return fmt.Errorf("%w: scripts/install-tools %s", err, tool)
}

// unwrap returns the command line inside a script of scripts/install-tools, so
// that the shell that runs the script is not counted.
func unwrap(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(string(text), "#!") {
		return []string{path}, nil
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "exec "); ok {
			return strings.Fields(strings.ReplaceAll(command, `"$@"`, "")), nil
		}
	}
	return []string{path}, nil
}

// own is the path of a program that was built here.
func (t *tools) own(name string) string { return filepath.Join(t.bin, name) }

// tool is a command line of bpftool's.
func (t *tools) tool(args ...string) []string { return slices.Concat(t.bpftool, args) }

func (t *tools) fixture(name string) string {
	return filepath.Join(t.root, "testdata", name+".bpf.o")
}

// describe prints what was measured with what.
func (b *bench) describe() error {
	openssl, err := output(b.openssl, "version")
	if err != nil {
		return err
	}
	bpftool, err := output(b.tool("version")...)
	if err != nil {
		return err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.Out, "kernel %s, %s, %d CPUs (%s)\n%s, %s, %s\n%d rounds; medians\n",
		firstLine(kernel), runtime.GOARCH, runtime.NumCPU(), processor(), runtime.Version(), firstLine(openssl), firstLine(bpftool), b.Rounds)
	return err
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// processor is the CPU's name, as far as the kernel tells one.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
