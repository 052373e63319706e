package loader

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

const bpffsMagic = 0xcafe4a11 // BPF_FS_MAGIC (include/uapi/linux/magic.h)

// makeToken makes a BPF token from the bpffs at dir, and from no other, and says
// what it allows beyond what the object needs. It returns nil for an empty dir.
func makeToken(dir string, d *manifest.Delegation) (token *bpfsys.FD, wider string, err error) {
	if dir == "" {
		return nil, "", nil
	}
	have, err := bpfsys.HaveTokens()
	if err != nil {
		return nil, "", tokenError(dir, err)
	}
	if !have {
		return nil, "", &Error{verdict: Unsupported, Reason: "no-tokens", Stage: "token", Name: dir,
			text: "this kernel has no BPF tokens: they came with Linux 6.9", Hint: "load as root without a delegated bpffs"}
	}
	n, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		e := failure("token", dir, "not-a-bpffs", err)
		if err == unix.EACCES || err == unix.EPERM {
			e.verdict = Permission
		}
		return nil, "", e
	}
	bpffs, err := bpfsys.NewFD(n)
	if err != nil {
		return nil, "", tokenError(dir, err)
	}
	defer bpffs.Close()
	var where unix.Statfs_t
	if err := unix.Fstatfs(bpffs.Int(), &where); err != nil {
		return nil, "", tokenError(dir, err)
	}
	if int64(where.Type) != bpffsMagic {
		return nil, "", &Error{verdict: Failed, Reason: "not-a-bpffs", Stage: "token", Name: dir, text: "it is not a bpffs"}
	}
	token, err = bpfsys.CreateToken(bpffs)
	if err != nil {
		return nil, "", tokenError(dir, err)
	}
	wider, err = checkToken(token, dir, d)
	if err != nil {
		return nil, "", errors.Join(err, token.Close())
	}
	return token, wider, nil
}

// tokenError says why there is no token.
func tokenError(dir string, err error) *Error {
	e := &Error{verdict: Permission, Reason: "token-refused", Stage: "token", Name: dir, text: "no token can be made from this bpffs", Errno: errnoOf(err), cause: err}
	switch e.Errno {
	case unix.EOPNOTSUPP:
		e.Reason = "token-in-init-namespace"
		e.text = "the kernel makes no tokens in the initial user namespace"
		e.Hint = "load without a delegated bpffs here; tokens are for containers and units with a user namespace of their own"
	case unix.ENOENT:
		e.Reason = "no-delegation"
		e.text = "this bpffs delegates nothing"
		e.Hint = "mount it with delegate_cmds, delegate_maps, delegate_progs and delegate_attachs"
	case unix.EPERM, unix.EACCES:
		e.Hint = "the bpffs must belong to this user namespace, and the caller must have CAP_BPF in it"
	case unix.EINVAL:
		e.verdict, e.Reason = Failed, "not-a-bpffs"
		e.text = "it is not the root of a bpffs"
	default:
		e.verdict, e.Reason = Failed, "token-failed"
	}
	return e
}
