package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kconfig"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/trustpath"
)

// Where the kernel shows what it has.
const (
	kernelTypesPath = "/sys/kernel/btf/vmlinux"
	activeLSMsPath  = "/sys/kernel/security/lsm"
)

// machine is the kernel that a load is for.
type machine struct {
	release string // uname -r
	arch    string // as the manifest names it
	types   string // path of the kernel's types
	lsms    string // path of the list of active security modules

	version string                                         // uname -v
	read    func(path string, limit int64) ([]byte, error) // a file that only root can have written
}

func thisMachine() (machine, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return machine{}, failure("kernel", "", "uname-failed", err)
	}
	m := machine{release: unix.ByteSliceToString(u.Release[:]), arch: unix.ByteSliceToString(u.Machine[:]), types: kernelTypesPath, lsms: activeLSMsPath}
	m.version, m.read = unix.ByteSliceToString(u.Version[:]), trustpath.ReadFile
	if m.arch == "aarch64" {
		m.arch = "arm64"
	}
	return m, nil
}

// CheckMachine says what this machine lacks for an object, by the name of the
// first thing that is missing; the error is an *Error. It loads nothing, and
// profiles are none of its business: the kernel decides about those. set and own
// are what Options has as Set and KernelConfig.
func CheckMachine(m *manifest.Manifest, set map[string]string, own func() ([]byte, error)) error {
	here, err := thisMachine()
	if err != nil {
		return err
	}
	if err := here.checkNeeds(m); err != nil {
		return err
	}
	return here.addFacts(m.Clone(), set, own)
}

// checkNeeds refuses an object whose needs this kernel does not meet, by the
// name of the first that is missing, before anything is loaded.
func (here *machine) checkNeeds(m *manifest.Manifest) error {
	if m.Architecture != "any" && m.Architecture != here.arch {
		return lacks("architecture", m.Architecture, "wrong-architecture", fmt.Sprintf("this machine is %s", here.arch),
			"compile the object for this architecture, or without the registers of one")
	}
	if m.ByteOrder != nativeByteOrder() {
		return lacks("byte order", m.ByteOrder, "wrong-byte-order", fmt.Sprintf("this machine is %s-endian", nativeByteOrder()), "")
	}
	for _, need := range m.Kernel.Needs {
		if older(here.release, need.Since) {
			return lacks("kernel", need.Feature, "kernel-too-old", fmt.Sprintf("it needs Linux %s and this is %s", need.Since, here.release), "")
		}
	}
	if older(here.release, m.Kernel.Minimum) {
		return lacks("kernel", "", "kernel-too-old", fmt.Sprintf("the object needs Linux %s and this is %s", m.Kernel.Minimum, here.release), "")
	}
	if m.Kernel.BTF {
		if _, err := os.Stat(here.types); err != nil {
			return lacks("kernel", "BTF", "no-btf", fmt.Sprintf("the object needs the kernel's types and %s is missing", here.types),
				"use a kernel with CONFIG_DEBUG_INFO_BTF=y, and have sysfs mounted")
		}
	}
	if m.Kernel.LSM {
		return here.checkLSM()
	}
	return nil
}

// checkLSM refuses a kernel on which BPF LSM programs attach without an error
// and are never called.
func (here *machine) checkLSM() error {
	list, err := os.ReadFile(here.lsms)
	if errors.Is(err, fs.ErrNotExist) {
		return lacks("kernel", "LSM", "no-securityfs", fmt.Sprintf("the object has LSM programs and whether the kernel calls them cannot be seen: %s is missing", here.lsms),
			"mount securityfs on /sys/kernel/security")
	}
	if err != nil {
		return failure("kernel", here.lsms, "lsm-list-unreadable", err)
	}
	if !slices.Contains(strings.Split(string(bytes.TrimSpace(list)), ","), "bpf") {
		return lacks("kernel", "LSM", "no-bpf-lsm", "the object has LSM programs and this kernel calls none: bpf is not among its active security modules",
			"boot with bpf in the lsm= parameter (now: "+string(bytes.TrimSpace(list))+")")
	}
	return nil
}

// lacks makes the error for something that this machine does not have.
func lacks(stage, name, reason, text, hint string) *Error {
	return &Error{verdict: Unsupported, Reason: reason, Stage: stage, Name: name, text: text, Hint: hint}
}

// older reports whether a release such as "6.12.107+deb13" is older than a
// version such as "5.17". What is not a release is older than everything.
func older(release, than string) bool {
	want, have := kconfig.Code(than, 2), kconfig.Code(release, 2)
	return want == 0 || have < want
}

func nativeByteOrder() string {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return "little"
	}
	return "big"
}

// errnoOf is the kernel's error number in err, 0 if there is none.
func errnoOf(err error) syscall.Errno {
	errno, _ := errors.AsType[syscall.Errno](err)
	return errno
}
