//go:build vmguest

package gatetest

import (
	"errors"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader/worker"
	"github.com/trustedbpf/tbpf/verify"
)

// attackLoads is A36: loads that the gate has to refuse, by root.
func attackLoads(t *testing.T, old *bpfsys.FD) {
	wantRefused(t, "an unsigned program", program(bpfabi.ProgramSocketFilter, trivial).load())
	wantRefused(t, "an unsigned loader program", kernelload.OnThread(func() error {
		_, err := kernelload.Try(payload(t, verified(t, "boot/multi.tbpf", "keys/suite.crt")), kernelload.Settings{ContextSize: 4096})
		return err
	}))

	_, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	wantRefused(t, "a program of cilium/ebpf's", err)

	out, err := exec.Command("/opt/bpftool/ld", "--library-path", "/opt/bpftool", "/opt/bpftool/bpftool", "prog", "load", "boot/xdpcount.o", "/sys/fs/bpf/stranger").CombinedOutput()
	if err == nil || !has(string(out), "EPERM") {
		t.Errorf("bpftool, and libbpf in it: %v\n%s", err, out)
	}

	var exited *exec.ExitError
	if err := exec.Command("/bin/compat386").Run(); !errors.As(err, &exited) || exited.ExitCode() != int(unix.EPERM) {
		t.Errorf("a 32-bit program: %v", err)
	}
	if err := exec.Command("/bin/compat").Run(); !errors.As(err, &exited) || exited.ExitCode() != int(unix.EPERM) {
		t.Errorf("a 64-bit program: %v", err)
	}

	size := program(bpfabi.ProgramSocketFilter, trivial)
	size.u32(160, 300) // signature_size; no signature
	if err := size.load(); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.E2BIG) {
		t.Errorf("a signature's size and no signature: %v", err)
	}

	older(t, old)
	if kernel() != "6.1" {
		token(t)
	}
	if signatures() {
		ownKeyring(t)
		uncovered(t)
	}
	wantOn(t, "unsigned loads")
}

// older runs a SYSCALL program that was there before the gate.
func older(t *testing.T, old *bpfsys.FD) {
	m := verified(t, "boot/multi.tbpf", "keys/suite.crt").Manifest()
	ret, err := bpfsys.RunSyscallProgram(old, make([]byte, m.Context))
	must(t, err)
	if syscall.Errno(-ret) != unix.EPERM {
		t.Errorf("a loader program from before the gate loaded: %d", ret)
	}
}

// token loads what nobody signed through a BPF token, in a worker of our own.
func token(t *testing.T) {
	v := verified(t, "boot/multi.tbpf", "keys/suite.crt")
	m := v.Manifest()
	err := kernelload.OnThread(func() error {
		w, err := worker.Start(worker.Spec{Delegation: m.Delegation, Capabilities: m.Capabilities})
		if err != nil {
			return err
		}
		defer w.Close()
		_, err = w.Try(payload(t, v), kernelload.Settings{ContextSize: m.Context}, nil)
		return err
	})
	wantRefused(t, "a load through a token", err)
}

// ownKeyring loads what the kernel verifies by a keyring that the caller made.
func ownKeyring(t *testing.T) {
	for about, cert := range map[string]string{"a stranger's": "stranger", "the machine's own": "suite"} {
		err := command("/bin/tbpf", "load", "boot/"+cert+".tbpf", "--keyring", "keys/"+cert+".crt", "--pin", "/sys/fs/bpf/attack")
		if err == nil {
			t.Errorf("%s key in a keyring of the caller's: loaded", about)
		}
	}
	// By the caller's session keyring, with the profile that this kernel has.
	v := verified(t, "boot/stranger.tbpf", "keys/stranger.crt")
	wantRefused(t, "a stranger's signature and keyring", byOwnRing(t, v, bySerial))
	wantRefused(t, "a stranger's signature and KEY_SPEC_SESSION_KEYRING", byOwnRing(t, v, func(*keyring.Ring) int32 { return unix.KEY_SPEC_SESSION_KEYRING }))
}

func bySerial(r *keyring.Ring) int32 { return r.Reference().ID() }

// byOwnRing loads a signed loader program by a keyring that this process makes of
// the signer's certificate.
func byOwnRing(t *testing.T, v *verify.Verified, id func(*keyring.Ring) int32) error {
	t.Helper()
	profile := profileHere(t)
	return kernelload.OnThread(func() error {
		if err := keyring.Isolate(); err != nil {
			return err
		}
		ring, err := keyring.New([][]byte{v.KernelCertificate().Raw})
		if err != nil {
			return err
		}
		defer ring.Close()
		instructions, cms, _ := v.Loader(profile)
		return kernelload.Admitted(kernelload.Payload{Profile: profile, Instructions: instructions, Metadata: v.Metadata(), CMS: cms}, kernelload.Settings{KeyringID: id(ring)})
	})
}

// A gate that asks for a keyring of the kernel's own takes nothing that was
// verified by another one, be the key the same.
func TestSystemKeyring(t *testing.T) {
	only(t, "platform")
	install(t)
	put(t, trusted.PolicyPath, []byte("kernel-keyring = \"platform\"\n[boot]\ntimeout = 600\n[gate]\nmode = \"enforce\"\n"), 0o644)
	if code, text := run(t, "boot"); code != 0 || !has(text, "the gate is on: enforce") {
		t.Fatalf("exit %d: %s", code, text)
	}
	s, err := gate.Find()
	must(t, err)
	must(t, s.Close())
	if !slices.Equal(s.Keyrings, []string{"platform"}) || s.Serials != nil {
		t.Errorf("it asks for the keyrings %q and %d", s.Keyrings, s.Serials)
	}
	wantOn(t, "the boot")
	if code, text := run(t, "load", "/usr/lib/tbpf/boot/multi.tbpf"); code != 0 || !has(text, "signature checked by kernel") {
		t.Errorf("exit %d: %s", code, text)
	}
	wantRefused(t, "the key of the platform keyring, in another keyring", byOwnRing(t, verified(t, "boot/multi.tbpf", "keys/suite.crt"), bySerial))
	wantOn(t, "all of it")
}

// profileHere is the profile by which this kernel loads.
func profileHere(t *testing.T) bpfabi.Profile {
	t.Helper()
	store, err := record.Open()
	must(t, err)
	defer store.Close()
	o, err := store.Read("gate")
	must(t, err)
	p, err := bpfabi.ParseProfile(o.Profile)
	must(t, err)
	return p
}

// anyMap is a signed loader program with a map that others could use.
const anyMap = "a map that is not exclusive"

// uncovered loads a loader program that is rightly signed, by the pinned
// keyring, with attributes that no signature covers.
func uncovered(t *testing.T) {
	store, err := record.Open()
	must(t, err)
	defer store.Close()
	ring, err := store.ReadRing()
	must(t, err)
	v := verified(t, "boot/multi.tbpf", "keys/suite.crt")
	profile := profileHere(t)
	instructions, cms, _ := v.Loader(profile)
	p := kernelload.Payload{Profile: profile, Instructions: instructions, Metadata: v.Metadata(), CMS: cms}
	for about, change := range map[string]func(*keep){
		anyMap:              func(*keep) {},
		"nothing more":      func(*keep) {},
		"func_info":         func(k *keep) { k.u32(76, 8); k.bytes(80, make([]byte, 8)); k.u32(88, 1) },
		"line_info":         func(k *keep) { k.u32(92, 16); k.bytes(96, make([]byte, 16)); k.u32(104, 1) },
		"core_relos":        func(k *keep) { k.u32(116, 1); k.bytes(128, make([]byte, 16)); k.u32(136, 16) },
		"prog_btf_fd":       func(k *keep) { k.u32(72, 1) },
		"another type":      func(k *keep) { k.u32(0, uint32(bpfabi.ProgramSocketFilter)); k.u32(44, 0) },
		"a builtin keyring": func(k *keep) { k.u32(164, 0) },
	} {
		err := kernelload.OnThread(func() error {
			made := p
			if about == anyMap {
				made.CMS = nil // no kernel that checks: an ordinary frozen map
			}
			meta, err := kernelload.MetadataMap(made)
			if err != nil {
				return err
			}
			defer meta.Close()
			k := program(bpfabi.ProgramSyscall, p.Instructions)
			k.u32(44, bpfabi.ProgramFlagSleepable)
			k.bytes(152, p.CMS)
			k.u32(160, uint32(len(p.CMS)))
			k.u32(164, uint32(ring.Serial))
			fds := []byte{byte(meta.Int()), byte(meta.Int() >> 8), 0, 0}
			k.bytes(120, fds)
			if profile == bpfabi.Bound {
				k.u32(148, 1)
			}
			change(k)
			return k.load()
		})
		switch {
		case about == anyMap && kernel() != "7.2": // 7.3 itself refuses it, 6.18.15 has no exclusive maps' mark
		case about == "nothing more":
			if err != nil {
				t.Errorf("signed, and %s: %v", about, err)
			}
		case about == "a builtin keyring": // the kernel itself finds no key there
			if err == nil {
				t.Errorf("signed, and %s: loaded", about)
			}
		default:
			wantRefused(t, "signed, and "+about, err)
		}
	}
}
