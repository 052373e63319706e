package wholefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func TestReadReturnsTheWholeFile(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 513, 4096, 100_000} {
		want := bytes.Repeat([]byte{7}, size)
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, 100_000)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Read of %d bytes = %d bytes, %v", size, len(got), err)
		}
		got, err = ReadFrom(iotest.OneByteReader(bytes.NewReader(want)), 0, int64(size))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("ReadFrom of %d bytes = %d bytes, %v", size, len(got), err)
		}
	}
}

// Large enough for the advice that large files get.
func TestReadReturnsALargeFile(t *testing.T) {
	want := make([]byte, 9<<20+1)
	for i := range want {
		want[i] = byte(i >> 12)
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 64<<20); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Read of %d bytes = %d bytes, %v", len(want), len(got), err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tooLarge := func(err error) bool {
		var e *TooLargeError
		return errors.As(err, &e) && e.Limit == 10
	}
	for name, c := range map[string]struct {
		path string
		is   func(error) bool
	}{
		"a missing file":          {filepath.Join(dir, "none"), func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		"a directory":             {dir, func(err error) bool { return errors.Is(err, ErrDirectory) }},
		"a large file":            {large, tooLarge},
		"an endless device":       {"/dev/zero", tooLarge},
		"a FIFO without a writer": {fifo, func(err error) bool { return errors.Is(err, ErrNoWriter) }},
	} {
		data, err := Read(c.path, 10)
		var pathErr *fs.PathError
		if data != nil || !c.is(err) || !errors.As(err, &pathErr) || pathErr.Path != c.path {
			t.Errorf("Read of %s = %d bytes, %v", name, len(data), err)
		}
	}
}

func TestReadWaitsForAWriterThatIsThere(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		w.WriteString("late")
		w.Close()
	}()
	got, err := Read(fifo, 10)
	if err != nil || string(got) != "late" {
		t.Errorf("Read = %q, %v", got, err)
	}
}

func TestWriteNeverReplacesUnlessTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	if err := Write(path, []byte("one"), 0o666, false); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("two"), 0o666, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Write = %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "one" {
		t.Errorf("contents %q", got)
	}
	if err := Write(path, []byte("two"), 0o666, true); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "two" {
		t.Errorf("contents %q", got)
	}

	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), dangling); err != nil {
		t.Fatal(err)
	}
	if err := Write(dangling, []byte("x"), 0o666, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Write through a dangling link = %v", err)
	}
	onlyThese(t, dir, "out", "dangling")
}

func TestWriteRefusesAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(sub, nil, 0o666, true); !errors.Is(err, ErrDirectory) {
		t.Errorf("Write to a directory = %v", err)
	}
	missing := filepath.Join(dir, "none", "out")
	err := Write(missing, nil, 0o666, false)
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), ".tbpf-") {
		t.Errorf("Write to a missing directory = %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(fifo, []byte("x"), 0o666, false); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("Write to a FIFO without a reader = %v", err)
	}
	onlyThese(t, dir, "sub", "fifo")
}

func TestWriteTakesDevices(t *testing.T) {
	if err := Write("/dev/null", []byte("x"), 0o666, false); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null is now %v, %v", info.Mode(), err)
	}
}

func TestWriteHonoursTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := Write(path, nil, 0o600, false); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func onlyThese(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("directory holds %v, want %v", entries, names)
	}
}

func TestReplaceKeepsModeAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	data, readErr := os.ReadFile(path)
	if err != nil || readErr != nil || info.Mode().Perm() != 0o640 || string(data) != "new" {
		t.Errorf("%v, %v, %v, %q", err, readErr, info.Mode(), data)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("f", link); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, dir, filepath.Join(dir, "none")} {
		if err := Replace(bad, []byte("x")); err == nil {
			t.Errorf("%s was replaced", bad)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
