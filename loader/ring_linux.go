package loader

import (
	"crypto/x509"
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader/worker"
)

// MakeRing makes a kernel keyring of certificates that lasts as long as the
// file system that it mounts at path, a directory in a bpffs, which it makes. No
// process possesses the keyring (worker.Hold). What is mounted there goes, and
// the keyring that it held with it.
func MakeRing(path, description string, certificates []*x509.Certificate) (keyring.Reference, error) {
	var list []keyring.Certificate
	for _, cert := range certificates {
		id, err := keys.IDOf(cert.PublicKey)
		if err != nil {
			return keyring.Reference{}, failure("kernel keyring", "", "kernel-certificate", err)
		}
		list = append(list, keyring.Certificate{Description: "tbpf:" + id.String(), DER: cert.Raw})
	}
	var ring keyring.Reference
	err := kernelload.OnThread(func() (err error) {
		ring, err = makeRing(path, description, list)
		return err
	})
	if err == nil {
		return ring, nil
	}
	if _, known := errors.AsType[*Error](err); known {
		return keyring.Reference{}, asError(err)
	}
	return keyring.Reference{}, ringError(err)
}

// makeRing is MakeRing on a thread that ends with it.
func makeRing(path, description string, certificates []keyring.Certificate) (made keyring.Reference, err error) {
	if err := keyring.Isolate(); err != nil {
		return made, err
	}
	ring, err := keyring.NewShared(description, certificates)
	if err != nil {
		return made, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ring.Close())
		}
	}()
	fs, err := worker.Hold(ring.Reference().ID())
	if err != nil {
		return made, workerError(err)
	}
	defer fs.Close()
	if err := ring.Seal(); err != nil {
		return made, err
	}
	return ring.Reference(), mountHolder(fs, path)
}

// mountHolder mounts a file system in the place of another that is mounted
// there, if there is one.
func mountHolder(fs *bpfsys.FD, path string) error {
	root, _, err := openPinDir(filepath.Dir(path), false)
	if err != nil {
		return pinError(path, err)
	}
	defer root.Close()
	name := filepath.Base(path)
	if err := dropHolder(root, name); err != nil {
		return pinError(path, err)
	}
	if err := unix.Mkdirat(root.Int(), name, 0o700); err != nil && err != unix.EEXIST {
		return pinError(path, err)
	}
	if err := unix.MoveMount(fs.Int(), "", root.Int(), name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return pinError(path, err)
	}
	return nil
}

// dropHolder unmounts what is mounted on a directory, all of it.
func dropHolder(root *bpfsys.FD, name string) error {
	for {
		switch err := unmountIn(root, name); err {
		case nil:
		case unix.EINVAL, unix.ENOENT: // nothing is mounted there, or there is no such directory
			return nil
		default:
			return err
		}
	}
}
