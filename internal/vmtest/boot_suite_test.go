package vmtest_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trustedbpf/tbpf/internal/fsverity"
	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// TestTrustedLoader is the boot of a machine by tbpf-loader, on each kernel.
// Package boottest says what is looked at there.
func TestTrustedLoader(t *testing.T) {
	for _, kernel := range vmtest.Kernels() {
		vmtest.Require(t, kernel)
	}
	files := signBootSet(t)
	files["/bin/boottest"] = vmtest.File{Host: vmtest.GuestTests(t, module+"internal/vmtest/boottest")}
	for _, kernel := range vmtest.Kernels() {
		t.Run(string(kernel), func(t *testing.T) {
			t.Parallel()
			modules := []string{"loop"}
			if kernel == "6.1" {
				modules = append(modules, "fuse") // built in later
			}
			vmtest.RunTests(t, vmtest.Machine{Kernel: kernel, Files: files, Modules: modules, Timeout: 20 * time.Minute},
				[]string{"TBPF_KERNEL=" + string(kernel)}, "/bin/boottest")
		})
	}
}

// signBootSet makes the files of boottest: keys/, boot/OBJECT-VERSION.tbpf and
// the two commands.
func signBootSet(t *testing.T) vmtest.Files {
	t.Helper()
	dir := t.TempDir()
	tbpf, loader := filepath.Join(dir, "tbpf"), filepath.Join(dir, "tbpf-loader")
	for out, path := range map[string]string{tbpf: "cmd/tbpf", loader: "cmd/tbpf-loader"} {
		if err := vmtest.Build(t.Context(), out, module+path); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command(tbpf, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tbpf %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"keys", "boot", "lists"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run("keygen", "--name", "suite", "--no-password", "--out", "keys")
	run("keygen", "--name", "stranger", "--no-password", "--out", "keys")
	files := vmtest.Files{
		"/bin/tbpf":        {Host: tbpf},
		"/bin/tbpf-loader": {Host: loader},
		"keys/suite.crt":   {Host: filepath.Join(dir, "keys", "suite.crt")},

		"keys/stranger.crt": {Host: filepath.Join(dir, "keys", "stranger.crt")},
	}
	signLoader(t, dir, run, files)
	seal := func(object, name, key string, more ...string) {
		t.Helper()
		path, err := filepath.Abs(filepath.Join("..", "..", "testdata", object+".bpf.o"))
		if err != nil {
			t.Fatal(err)
		}
		sealed := filepath.Join("boot", name+".tbpf")
		run(append([]string{"sign", path, "--key", "keys/" + key + ".key", "--cert", "keys/" + key + ".crt", "-o", sealed}, more...)...)
		files[sealed] = vmtest.File{Host: filepath.Join(dir, sealed)}
	}
	for object, versions := range map[string]int{"fileguard": 2, "xdpcount": 2, "ringbuf": 1, "multi": 1, "pathwalk": 1, "pinned": 2} {
		for v := 1; v <= versions; v++ {
			seal(object, fmt.Sprintf("%s-%d", object, v), "suite", "--version", fmt.Sprint(v))
		}
	}
	seal("fileguard", "fileguard-0", "suite")
	for v := 1; v <= 2; v++ {
		seal("fileguard", fmt.Sprintf("keep-%d", v), "suite", "--version", fmt.Sprint(v), "--keep", "guarded")
		seal("xdpcount", fmt.Sprintf("keepdata-%d", v), "suite", "--version", fmt.Sprint(v), "--keep", ".bss")
	}
	seal("fileguard", "keep-sized", "suite", "--version", "2", "--keep", "guarded", "--tunable", "guarded.max_entries=1..4096")
	sealOther(t, dir, run, files)
	seal("settings", "settings-1", "suite", append(tunables(), "--version", "1")...)
	seal("ringbuf", "ringbuf-stranger", "stranger")
	run("keygen", "--name", "root", "--no-password", "--out", "keys", "--ca")
	run("keygen", "--name", "issued", "--no-password", "--out", "keys", "--issuer", "keys/root.key,keys/root.crt")
	files["keys/root.crt"] = vmtest.File{Host: filepath.Join(dir, "keys", "root.crt")}
	seal("ringbuf", "ringbuf-issued", "issued", "--version", "1")
	// Three lists, each the next one's predecessor.
	for i, change := range [][]string{{"--name", "ringbuf", "--below", "1"}, {"--name", "ringbuf", "--below", "2"}, {"--name", "ringbuf", "--withdraw"}} {
		run(append([]string{"revoke", "lists/fleet.revoked", "--key", "keys/suite.key"}, change...)...)
		data, err := os.ReadFile(filepath.Join(dir, "lists", "fleet.revoked"))
		if err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("lists/fleet-%d.revoked", i+1)] = vmtest.File{Data: data}
	}
	return files
}

// sealOther seals the file guard with a key of the same size and another type.
func sealOther(t *testing.T, dir string, run func(...string), files vmtest.Files) {
	t.Helper()
	guard, err := os.ReadFile(filepath.Join("..", "..", "testdata", "fileguard.bpf.o"))
	if err != nil {
		t.Fatal(err)
	}
	member := []byte("\x00device\x00") // among the names of types
	if bytes.Count(guard, member) != 1 {
		t.Fatal("the file guard's key has changed")
	}
	other := filepath.Join(dir, "other.bpf.o")
	if err := os.WriteFile(other, bytes.Replace(guard, member, []byte("\x00volume\x00"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	sealed := filepath.Join("boot", "keep-types.tbpf")
	run("sign", other, "--key", "keys/suite.key", "--cert", "keys/suite.crt", "-o", sealed, "--name", "fileguard", "--version", "2", "--keep", "guarded")
	files[sealed] = vmtest.File{Host: filepath.Join(dir, sealed)}
}

// signLoader signs the loader itself, and makes an empty file system with
// fs-verity to install it on.
func signLoader(t *testing.T, dir string, run func(...string), files vmtest.Files) {
	t.Helper()
	run("sign-loader", "tbpf-loader", "--key", "keys/suite.key", "--cert", "keys/suite.crt", "-o", "keys/loader")
	run("sign-loader", "tbpf-loader", "--key", "keys/stranger.key", "--cert", "keys/stranger.crt", "-o", "keys/loader-stranger")
	loader, err := os.ReadFile(filepath.Join(dir, "tbpf-loader"))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := fsverity.Digest(bytes.NewReader(loader))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(filepath.Join(dir, "keys", "suite.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	disk := filepath.Join(dir, "verity.ext4")
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		mke2fs = "/sbin/mke2fs"
	}
	if cache, err := vmtest.CacheDir(); err == nil {
		if own := filepath.Join(cache, "bin", "mke2fs"); exists(own) {
			mke2fs = own
		}
	}
	if !exists(mke2fs) {
		if os.Getenv("CI") != "" {
			t.Fatal("mke2fs is missing: run scripts/install-tools mke2fs")
		}
		t.Skip("mke2fs is missing: run scripts/install-tools mke2fs")
	}
	if out, err := exec.Command(mke2fs, "-q", "-t", "ext4", "-O", "verity,^has_journal", "-b", "4096", disk, "24M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	files["keys/loader.digest"] = vmtest.File{Data: fmt.Appendf(nil, "sha256:%x\n", digest)}
	files["keys/loader.der"] = vmtest.File{Data: block.Bytes}
	files["keys/loader.p7s"] = vmtest.File{Host: filepath.Join(dir, "keys", "loader.fsverity.p7s")}
	files["keys/loader-stranger.p7s"] = vmtest.File{Host: filepath.Join(dir, "keys", "loader-stranger.fsverity.p7s")}
	files["verity.ext4"] = vmtest.File{Host: disk}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
