//go:build linux

package procconfig

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kconfig"
)

func packed(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is unpacked is one whole file, whose checksum is right, of a bounded size.
func TestUnpackTakesOneWholeFile(t *testing.T) {
	good := packed(t, []byte("CONFIG_HZ=250\n"))
	if got, err := unpack(good); err != nil || string(got) != "CONFIG_HZ=250\n" {
		t.Fatalf("%q %v", got, err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1
	for what, bad := range map[string][]byte{
		"nothing": nil, "a checksum that is wrong": flipped, "cut short": good[:len(good)-4], "not packed": []byte("CONFIG_HZ=250\n"),
		"two of them": append(bytes.Clone(good), good...), "something behind it": append(bytes.Clone(good), 0),
		"much too large": packed(t, make([]byte, kconfig.MaxFile+1)),
	} {
		if got, err := unpack(bad); err == nil {
			t.Errorf("%s: %d bytes", what, len(got))
		}
	}
}

// Only the kernel's own file is taken.
func TestReadTakesTheKernelsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.gz")
	if _, err := read(path, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := os.WriteFile(path, packed(t, []byte("CONFIG_HZ=250\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := read(path, unix.PROC_SUPER_MAGIC); err == nil {
		t.Error("another file system's file is taken")
	}
	var where unix.Statfs_t
	if err := unix.Statfs(path, &where); err != nil {
		t.Fatal(err)
	}
	if got, err := read(path, int64(where.Type)); err != nil || string(got) != "CONFIG_HZ=250\n" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := os.Stat(Path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	if got, err := Read(); err != nil || len(got) == 0 {
		t.Errorf("of this kernel: %d bytes, %v", len(got), err)
	}
}
