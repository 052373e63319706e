package loader

import (
	"errors"
	"io/fs"
	"runtime"

	"github.com/trustedbpf/tbpf/internal/kconfig"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// addFacts gives the variables that programs declare __kconfig what this kernel
// is, as their default in m, a copy; those that the caller sets stay as they are.
// A variable that is declared __weak and that the kernel does not have keeps its
// zero; any other that it does not have ends the load.
//
// The configuration is read from where distributions keep it: a file that only
// root can have written. own, if it is there, has that of the kernel itself.
func (here *machine) addFacts(m *manifest.Manifest, set map[string]string, own func() ([]byte, error)) error {
	var file []byte
	for i := range m.Tunables {
		t := &m.Tunables[i]
		if _, given := set[t.Name]; given || t.Source == "" {
			continue
		}
		raw, err := "", error(nil)
		switch {
		case !t.IsConfig():
			raw, err = here.virtual(t.Name)
		case file == nil:
			file, err = here.configuration(own)
			fallthrough
		default:
			if err == nil {
				raw, err = kconfig.Find(file, t.Name)
			}
		}
		e := lacks("variable", t.Name, "kconfig-missing", "this kernel does not have it", "who knows it better can set it: --set NAME=VALUE, [set] in a boot set")
		switch {
		case err != nil:
			if e.text = err.Error(); !errors.Is(err, fs.ErrNotExist) {
				e.verdict, e.Reason = Failed, "kconfig-unreadable"
			}
			return e
		case raw != "":
			value, ok := kconfig.Value(t, raw)
			if t.Default = &value; !ok {
				e.Reason, e.text = "kconfig-type", "this kernel has "+raw+", not "+t.Words()
				return e
			}
		case t.Default == nil:
			return e
		}
	}
	return nil
}

// configuration is the kernel's; none is an fs.ErrNotExist.
func (here *machine) configuration(own func() ([]byte, error)) ([]byte, error) {
	file, err := here.read("/boot/config-"+here.release, kconfig.MaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = here.read("/usr/lib/modules/"+here.release+"/config", kconfig.MaxFile)
	}
	if own != nil && errors.Is(err, fs.ErrNotExist) {
		if data, ownErr := own(); !errors.Is(ownErr, fs.ErrNotExist) {
			return data, ownErr
		}
	}
	return file, err
}

// virtual is the value of a variable that is in no configuration, empty if there
// is none.
func (here *machine) virtual(name string) (string, error) {
	if name != manifest.KernelVersion && name != manifest.HasAttachCookie && name != manifest.HasSyscallWrapper {
		return "", nil // it is weak
	}
	signature, err := here.read("/proc/version_signature", 4096) // Ubuntu's
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	code := kconfig.Version(string(signature), here.version, here.release)
	// Of cookie and wrapper libbpf makes sure with a program and a probe, which
	// not everybody may load who may load a signed object. Both are older than any
	// kernel that checks signatures or has tokens: the helper bpf_get_attach_cookie
	// is of 5.15, and architectures select ARCH_HAS_SYSCALL_WRAPPER since 4.17
	// (x86) and 4.19 (arm64).
	since := uint32(5<<16 | 15<<8)
	if name == manifest.HasSyscallWrapper {
		switch runtime.GOARCH {
		case "amd64":
			since = 4<<16 | 17<<8
		case "arm64":
			since = 4<<16 | 19<<8
		default:
			code = 0
		}
	}
	switch {
	case code == 0:
		return "", errors.New("it cannot be told of this kernel")
	case name == manifest.KernelVersion:
	case code < since:
		code = 0
	default:
		code = 1
	}
	return manifest.FormatInteger(uint64(code), false), nil
}
