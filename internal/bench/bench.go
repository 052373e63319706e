package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Options say how much is measured.
type Options struct {
	// Rounds of every contest; 0 is what the medians need.
	Rounds int
	// Only names the parts that run: startup, sign, verify, load. Empty: all.
	Only []string
	Out  io.Writer
}

// Parts are the names that Options.Only takes.
func Parts() []string { return []string{"startup", "sign", "verify", "load"} }

const defaultRounds = 41

// bench is one run: its files, programs and results.
type bench struct {
	Options
	tools
	dir    string // of everything that it makes; removed at the end
	missed int
}

// Run builds what is compared, measures, and prints the tables. An aim that is
// missed is not an error.
func Run(opt Options) (err error) {
	for _, part := range opt.Only {
		if !slices.Contains(Parts(), part) {
			return fmt.Errorf("no part %q: there are %v", part, Parts())
		}
	}
	if opt.Rounds == 0 {
		opt.Rounds = defaultRounds
	}
	dir, err := os.MkdirTemp("", "tbpf-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{Options: opt, dir: dir}
	if b.tools, err = findTools(dir); err != nil {
		return err
	}
	if err := b.describe(); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func() error
	}{{"startup", b.startup}, {"sign", b.sign}, {"verify", b.verify}, {"load", b.load}} {
		if len(opt.Only) > 0 && !slices.Contains(opt.Only, part.name) {
			continue
		}
		if err := part.run(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(b.Out, "\n%d aims missed\n", b.missed)
	return err
}

// contest measures and prints one task.
func (b *bench) contest(c Contest) error {
	if c.Rounds == 0 {
		c.Rounds = b.Rounds
	}
	results, err := c.Run()
	if err != nil {
		return err
	}
	for i := range results {
		if results[i].Missed() {
			b.missed++
		}
	}
	return writeTable(b.Out, &c, results)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// write makes a file in the bench's directory and returns its path.
func (b *bench) write(name string, data []byte) (string, error) {
	path := b.path(name)
	return path, os.WriteFile(path, data, 0o600)
}
