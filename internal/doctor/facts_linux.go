package doctor

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/buildinfo"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/trustpath"
)

const bpffsMagic = 0xcafe4a11 // BPF_FS_MAGIC (include/uapi/linux/magic.h)

// Read asks the machine. The error says that nothing could be asked at all.
func Read() (*Facts, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	f := &Facts{
		Release: unix.ByteSliceToString(u.Release[:]), Machine: unix.ByteSliceToString(u.Machine[:]),
		Root: unix.Geteuid() == 0, Now: buildinfo.Clock(time.Now()),
		LSMs: fact(readLSMs()), Lockdown: fact(readLockdown()), Types: fact(readTypes()), Signature: probeSignature(),
		Tokens: fact(bpfsys.HaveTokens()), Namespaces: fact(readNumber("/proc/sys/user/max_user_namespaces")),
		Unprivileged: fact(readNumber("/proc/sys/kernel/unprivileged_bpf_disabled")),
		BPFFS:        fact(statBPFFS("/sys/fs/bpf")), Keyrings: fact(readKeyrings()),
		Gate: fact(readGate()),
	}
	f.readFiles()
	return f, nil
}

// securityfs is where security modules show their state.
const securityfs = "/sys/kernel/security/"

func readLSMs() ([]string, error) {
	data, err := os.ReadFile(securityfs + "lsm")
	return strings.Split(string(bytes.TrimSpace(data)), ","), err
}

// readLockdown returns the mode in brackets of "[none] integrity confidentiality".
func readLockdown() (string, error) {
	data, err := os.ReadFile(securityfs + "lockdown")
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(data), "[")
	mode, _, ok := strings.Cut(rest, "]")
	if !ok {
		return "", fmt.Errorf("%slockdown says %q", securityfs, data)
	}
	return mode, nil
}

func readTypes() (t Types, err error) {
	file, err := os.Open("/sys/kernel/btf/vmlinux")
	if err != nil {
		return t, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return t, err
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		defer func() { err = errors.Join(err, unix.Munmap(data)) }()
	} else if data, err = os.ReadFile(file.Name()); err != nil { // before 6.16 it cannot be mapped
		return t, err
	}
	types, err := kernelbtf.Parse(data, nil)
	if err != nil {
		return t, err
	}
	for _, ask := range []struct {
		to                *bool
		structure, member string
	}{
		{&t.Signatures, "bpf_map", "excl_prog_sha"},
		{&t.Excl, "bpf_map", "excl"},
		{&t.Bound, "bpf_verifier_env", "signature"},
	} {
		if *ask.to, err = types.HasMember(ask.structure, ask.member); err != nil {
			return t, err
		}
	}
	return t, nil
}

// probeSignature offers a program with a signature of one zero byte. Whatever
// the kernel answers, it loads nothing and makes nothing: one that checks
// signatures says EBADMSG, one that was built without checking EOPNOTSUPP, one
// that knows none E2BIG, and who may not ask hears EPERM.
func probeSignature() error {
	prog, err := bpfsys.LoadProgram(bpfsys.ProgramSpec{
		Name: "tbpf_doctor", Type: bpfabi.ProgramSyscall, Flags: bpfabi.ProgramFlagSleepable, License: "GPL",
		Instructions: []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}, // r0 = 0; exit
		Signature:    []byte{0},
	})
	if err != nil {
		return err
	}
	return prog.Close()
}

func readNumber(path string) (int, error) {
	text, err := trustpath.ReadKernelFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

func statBPFFS(path string) (m Mount, err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return m, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var where unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd, &where), unix.Fstat(fd, &st)); err != nil {
		return m, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return Mount{BPFFS: int64(where.Type) == bpffsMagic, UID: st.Uid, Mode: st.Mode & 0o7777}, nil
}

func readKeyrings() ([]SystemKeyring, error) {
	text, err := os.ReadFile("/proc/keys")
	if err != nil {
		return nil, err
	}
	var rings []SystemKeyring
	for _, ring := range kernelKeyrings(string(text)) {
		rings = append(rings, SystemKeyring{ring.name, fact(describeKeys(ring.serial))})
	}
	return rings, nil
}

// readGate finds the gate by what the kernel has, and tries no load.
func readGate() (string, error) {
	s, err := gate.Find()
	if err != nil || s == nil {
		return "none", err
	}
	return s.Mode.String(), s.Close()
}

// describeKeys returns what the kernel calls the keys in a keyring. Keyrings in
// it are left out: they are shown by themselves.
func describeKeys(serial int) ([]string, error) {
	const most = 4096 // keys
	buf := make([]byte, 4*most)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, buf, 0)
	if err != nil {
		return nil, fmt.Errorf("keyctl read: %w", err)
	}
	if n > len(buf) {
		return nil, fmt.Errorf("it has more than %d keys", most)
	}
	keys := []string{}
	for b := buf[:n-n%4]; len(b) > 0; b = b[4:] {
		text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, int(int32(binary.NativeEndian.Uint32(b))))
		if errors.Is(err, unix.ENOKEY) || errors.Is(err, unix.EKEYREVOKED) || errors.Is(err, unix.EKEYEXPIRED) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keyctl describe: %w", err)
		}
		parts := strings.SplitN(text, ";", 5) // type;uid;gid;permissions;description
		if len(parts) == 5 && parts[0] != "keyring" {
			keys = append(keys, parts[4])
		}
	}
	return keys, nil
}

// measureVerity is FS_IOC_MEASURE_VERITY (include/uapi/linux/fsverity.h).
func measureVerity(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var digest struct {
		algorithm, size uint16
		data            [64]byte
	}
	digest.size = uint16(len(digest.data))
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.FS_IOC_MEASURE_VERITY, uintptr(unsafe.Pointer(&digest)))
	runtime.KeepAlive(&digest)
	if errno != 0 {
		return "", errno
	}
	name := map[uint16]string{1: "sha256", 2: "sha512"}[digest.algorithm]
	if name == "" || int(digest.size) > len(digest.data) {
		return "", fmt.Errorf("digest of algorithm %d", digest.algorithm)
	}
	return name + ":" + hex.EncodeToString(digest.data[:digest.size]), nil
}
