//go:build linux

package worker

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// errGone says that the other end has closed its socket.
var errGone = errors.New("the other process is gone")

// errCut says that not all descriptors came with a message. Too many were sent,
// or this process may not have as many.
var errCut error = cutError{}

// cutError is a type of its own so that nothing is formatted whenever a program
// with this package starts.
type cutError struct{}

func (cutError) Error() string { return "descriptors of a message were cut off: too many open files" }
func (cutError) Unwrap() error { return unix.EMFILE }

// What x/sys/unix has for messages links every kind of socket address that there
// is, 30 kB; syscall has few, and to receive takes none.

// send sends one message with descriptors. The error is unix.EAGAIN if the
// flags say not to wait and there is no room.
func send(sock, flags int, b []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		n, err := syscall.SendmsgN(sock, b, rights, nil, flags|unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EPIPE || err == unix.ECONNRESET:
			return errGone
		case err != nil:
			return fmt.Errorf("send: %w", err)
		case n != len(b):
			return errProtocol
		}
		return nil
	}
}

// receive takes one message with its descriptors. On an error every descriptor
// that came is closed. The error is unix.EAGAIN if the flags say not to wait and
// there is none.
func receive(sock, flags int) ([]byte, []*bpfsys.FD, error) {
	// How long it is first: nearly all of them are short, and room for the
	// longest would be cleared for each.
	n, _, _, err := recvmsg(sock, nil, nil, flags|unix.MSG_PEEK|unix.MSG_TRUNC)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case n == 0:
		return nil, nil, errGone // no message is empty
	case n > maxMessage:
		return nil, nil, errProtocol
	}
	buf := make([]byte, n)
	oob := make([]byte, unix.CmsgSpace(4*fdsPerSend))
	n, oobn, got, err := recvmsg(sock, buf, oob, flags|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	fds, err := takeRights(oob[:oobn])
	switch {
	case err != nil:
	case got&unix.MSG_CTRUNC != 0:
		err = errCut
	case got&unix.MSG_TRUNC != 0:
		err = errProtocol
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeAll(fds))
	}
	return buf[:n], fds, nil
}

// recvmsg is the system call, again if a signal interrupted it.
func recvmsg(sock int, b, oob []byte, flags int) (n, oobn, got int, err error) {
	var vector unix.Iovec
	message := unix.Msghdr{Iov: &vector}
	message.SetIovlen(1)
	if len(b) > 0 {
		vector.Base = &b[0]
		vector.SetLen(len(b))
	}
	if len(oob) > 0 {
		message.Control = &oob[0]
		message.SetControllen(len(oob))
	}
	for {
		r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(sock), uintptr(unsafe.Pointer(&message)), uintptr(flags))
		switch errno {
		case 0:
			return int(r), int(message.Controllen), int(message.Flags), nil
		case unix.EINTR:
		case unix.ECONNRESET:
			return 0, 0, 0, errGone
		default:
			return 0, 0, 0, fmt.Errorf("receive: %w", errno)
		}
	}
}

// takeRights takes ownership of the descriptors in control messages.
func takeRights(oob []byte) ([]*bpfsys.FD, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, errProtocol
	}
	var fds []*bpfsys.FD
	for i := range messages {
		numbers, rightsErr := unix.ParseUnixRights(&messages[i])
		if rightsErr != nil {
			err = errProtocol
			continue
		}
		for _, n := range numbers {
			fd, fdErr := bpfsys.NewFD(n)
			if fdErr != nil {
				err = fdErr
				continue
			}
			fds = append(fds, fd)
		}
	}
	return fds, err
}

func closeAll(fds []*bpfsys.FD) error {
	var errs []error
	for _, fd := range fds {
		errs = append(errs, fd.Close())
	}
	return errors.Join(errs...)
}

// sealAll are the seals of a memfd that nobody can change any more, its seals
// included.
const sealAll = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// newMemfd puts bytes into a sealed memfd.
func newMemfd(name string, parts ...[]byte) (*bpfsys.FD, error) {
	n, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before 6.3
		n, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	fd, err := bpfsys.NewFD(n)
	if err != nil {
		return nil, err
	}
	for _, b := range parts {
		for len(b) > 0 {
			written, err := unix.Write(fd.Int(), b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("memfd: %w", err), fd.Close())
			}
			b = b[written:]
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd.Int()), unix.F_ADD_SEALS, sealAll); err != nil {
		return nil, errors.Join(fmt.Errorf("seal memfd: %w", err), fd.Close())
	}
	return fd, nil
}
