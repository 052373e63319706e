package vmtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds a command of this module as a static binary that runs in the
// guest, as releases are built. It must be called inside the module.
func Build(ctx context.Context, out, importPath string) error {
	return goTool(ctx, "build", "-trimpath", "-o", out, importPath)
}

// BuildTest builds the test binary of a package for the guest, with build tag
// vmguest, behind which tests stand that may run only there.
func BuildTest(ctx context.Context, out, importPath string) error {
	return goTool(ctx, "test", "-c", "-tags", "vmguest", "-o", out, importPath)
}

func goTool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}
