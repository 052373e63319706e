package fsverity_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/trustedbpf/tbpf/internal/fsverity"
	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// sizes are those at the edges of blocks and levels: a block holds 128 digests.
func sizes() []int {
	const block, level = 4096, 128 * 4096
	return []int{0, 1, 31, 32, 33, block - 1, block, block + 1, 2 * block, level - 1, level, level + 1, level + block, 2 * level, 2*level + 1, 128*level - 1, 128 * level, 128*level + 1}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>12) ^ byte(i*7)
	}
	return b
}

// TestTheDigestIsLinuxsOwn compares with what fsverity-utils computes.
func TestTheDigestIsLinuxsOwn(t *testing.T) {
	tool := tool(t)
	path := filepath.Join(t.TempDir(), "file")
	for _, n := range sizes() {
		data := pattern(n)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(tool, "digest", "--compact", path).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got, err := fsverity.Digest(iotest.HalfReader(bytes.NewReader(data)))
		if err != nil || hex.EncodeToString(got[:]) != strings.TrimSpace(string(out)) {
			t.Errorf("%d bytes: %x, %v; fsverity says %s", n, got, err, out)
		}
	}
}

// tool finds fsverity, which CI must have.
func tool(t *testing.T) string {
	t.Helper()
	cache, err := vmtest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "bin", "fsverity")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if path, err = exec.LookPath("fsverity"); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal("fsverity is missing: run scripts/install-tools fsverity")
	}
	t.Skip("fsverity is missing: run scripts/install-tools fsverity")
	return ""
}

// The same without the tool: the value that fs-verity has for an empty file
// (fsverity-utils, tests).
func TestTheDigestOfNothing(t *testing.T) {
	got, err := fsverity.Digest(bytes.NewReader(nil))
	if err != nil || hex.EncodeToString(got[:]) != "3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95" {
		t.Errorf("%x, %v", got, err)
	}
}

func TestReadErrorsAreErrors(t *testing.T) {
	if _, err := fsverity.Digest(iotest.TimeoutReader(bytes.NewReader(pattern(8192)))); err == nil {
		t.Error("half a file has a digest")
	}
}

func TestWhatIsSigned(t *testing.T) {
	want := "FSVerity\x01\x00\x20\x00" + strings.Repeat("\xab", 32)
	if got := fsverity.Signed([sha256.Size]byte(bytes.Repeat([]byte{0xab}, 32))); string(got) != want {
		t.Errorf("%q", got)
	}
}
