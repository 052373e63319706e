package kernelkeys

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// List lists the keyrings of this machine.
func List() ([]Ring, error) {
	text, err := os.ReadFile("/proc/keys")
	if err != nil {
		return nil, err
	}
	rings := parse(string(text))
	for i := range rings {
		rings[i].Keys, rings[i].Err = read(rings[i].Serial)
	}
	return rings, nil
}

func read(serial int) ([]Key, error) {
	const most = 4096
	buf := make([]byte, 4*most)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, buf, 0)
	if err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	if n > len(buf) {
		return nil, fmt.Errorf("the keyring has more than %d keys", most)
	}
	list := []Key{}
	for b := buf[:n]; len(b) >= 4; b = b[4:] {
		k := Key{Serial: int(int32(binary.NativeEndian.Uint32(b)))}
		text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, k.Serial)
		if errors.Is(err, unix.ENOKEY) || errors.Is(err, unix.EKEYREVOKED) || errors.Is(err, unix.EKEYEXPIRED) {
			continue // it went just now, or counts for nothing
		}
		if err != nil {
			return nil, fmt.Errorf("describe key: %w", err)
		}
		if words := strings.SplitN(text, ";", 5); len(words) == 5 {
			k.Type, k.Description = words[0], words[4]
		}
		list = append(list, k)
	}
	return list, nil
}

// Enroll puts a certificate into a keyring.
func Enroll(serial int, cert *x509.Certificate) error {
	if _, err := unix.AddKey("asymmetric", describe(cert), cert.Raw, serial); err != nil {
		return fmt.Errorf("add_key: %w", err)
	}
	return nil
}
