package corpus

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// Where the guest has the bpftool that scripts/install-tools fetched, and the
// libraries that it needs.
const (
	bpftoolDir       = "/bpftool"
	BpftoolProgram   = bpftoolDir + "/bpftool"
	BpftoolLinker    = bpftoolDir + "/ld-linux"
	BpftoolLibraries = bpftoolDir
)

// AddBpftool adds the bpftool unpacked at root to a machine's files.
func AddBpftool(files vmtest.Files, root string) error {
	libraries := regexp.MustCompile(`^(libc|libcap|libcrypto|libdl|libelf|libm|libpthread|libz|libzstd)\.so\.[0-9]+$`)
	found := 0
	err := filepath.WalkDir(root, func(host string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		guest := ""
		switch name := entry.Name(); {
		case name == "bpftool" && filepath.Base(filepath.Dir(host)) == "sbin":
			guest = BpftoolProgram
		case regexp.MustCompile(`^ld-linux.*\.so\.[0-9]$`).MatchString(name):
			guest = BpftoolLinker
		case libraries.MatchString(name):
			guest = path.Join(bpftoolDir, name)
		default:
			return nil
		}
		host, err = filepath.EvalSymlinks(host)
		if err != nil {
			return err
		}
		files[guest] = vmtest.File{Host: host}
		found++
		return nil
	})
	if err == nil && found < 5 {
		err = fmt.Errorf("no bpftool with its libraries: %w", os.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("add bpftool of %s: %w", root, err)
	}
	return nil
}
