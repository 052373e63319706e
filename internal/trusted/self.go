//go:build linux

package trusted

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/trustedbpf/tbpf/internal/fsverity"
)

// Self is the fs-verity digest of the program that runs, "sha256:" and hex, and
// whether the file system told it and guards the file, or it was computed here.
// It is of the file that was executed, whatever its path leads to by now; the
// kernel lets nobody write to that one as long as it runs.
func Self() (digest string, guarded bool, err error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", false, err
	}
	defer file.Close()
	sum, err := fsverity.Measure(int(file.Fd()))
	guarded = err == nil
	if errors.Is(err, fsverity.ErrNone) {
		sum, err = fsverity.Digest(file)
	}
	return "sha256:" + hex.EncodeToString(sum[:]), guarded, err
}

// checkSelf refuses to work where the policy names other programs.
func (s *System) checkSelf() error {
	if s.policy.Loader.Allows("") {
		return nil // every program, also one whose digest cannot be told
	}
	digest, _, err := Self()
	if err != nil {
		return fail(codePolicy, "loader-not-measured", fmt.Errorf("the policy pins the loader, whose digest cannot be told: %w", err))
	}
	if !s.policy.Loader.Allows(digest) {
		return fail(codePolicy, "loader-not-pinned", fmt.Errorf("the policy pins another loader: this one is %s", digest))
	}
	return nil
}
