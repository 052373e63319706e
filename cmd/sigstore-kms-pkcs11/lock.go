package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// oneAtATime waits until no other process of this user is at a token. Some
// modules, SoftHSM's among them, do not find their tokens while another process
// starts or ends with them; tbpf signs for several kernels at once. The lock
// goes with the file that is returned, at the latest with the process. Without one, where the file cannot be had, it goes on:
// a token that takes several at once needs none.
func oneAtATime() (lock *os.File) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("sigstore-kms-pkcs11.%d.lock", os.Getuid()))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil
	}
	return file
}
