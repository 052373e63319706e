package vmtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/trustedbpf/tbpf/internal/vmtest/uefi"
)

// ovmfDir finds the fetched UEFI firmware.
func ovmfDir() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "tools", "ovmf", "usr", "share", "OVMF")
	if _, err := os.Stat(filepath.Join(dir, "OVMF_CODE_4M.fd")); err != nil {
		return "", &MissingError{"UEFI firmware", "scripts/install-tools ovmf"}
	}
	return dir, nil
}

// RequireUEFI ends the test early where there is no firmware for machines with
// a UEFI db.
func RequireUEFI(t testing.TB) {
	t.Helper()
	_, err := ovmfDir()
	require(t, err)
}

// firmware returns the arguments that give QEMU UEFI firmware in the place of
// its BIOS, with the machine's certificates in the firmware's db. Secure Boot is
// off: no platform key is enrolled, and the kernel comes from -kernel.
func (m Machine) firmware(dir string) ([]string, error) {
	if m.UEFI == nil {
		return nil, nil
	}
	ovmf, err := ovmfDir()
	if err != nil {
		return nil, err
	}
	empty, err := os.ReadFile(filepath.Join(ovmf, "OVMF_VARS_4M.fd"))
	if err != nil {
		return nil, err
	}
	variables, err := uefi.Enroll(empty, m.UEFI...)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "variables")
	if err := os.WriteFile(file, variables, 0o600); err != nil {
		return nil, err
	}
	return []string{
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + filepath.Join(ovmf, "OVMF_CODE_4M.fd"),
		"-drive", "if=pflash,format=raw,unit=1,file=" + file,
	}, nil
}
