package signer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxKeyBytes is the most that is read of a private key: an encrypted RSA key
// of 8192 bits has 9 KiB.
const maxKeyBytes = 64 << 10

// Options say how Open gets at a key.
type Options struct {
	// Password returns the password of an encrypted key; prompt names the
	// key. Open wipes what it returns. Without Password an encrypted key is
	// refused with ReasonPasswordNeeded.
	Password func(prompt string) ([]byte, error)
}

// Open opens the private key that ref names: the path of a PEM file, env://NAME
// for PEM in an environment variable, or a key that never leaves where it is:
// NAME://KEY asks the program sigstore-kms-NAME for signatures, and a PKCS #11
// URI sigstore-kms-pkcs11. Of files, PKCS#8 (plain or encrypted
// with PBES2), PKCS#1, SEC 1 and encrypted sigstore and cosign keys are read.
//
// A key file must be a regular file without any permission for group and
// others: what is asked is the file that was opened, not its name. The error
// is an *Error.
func Open(ref string, opt Options) (*Signer, error) {
	if _, _, ok := pluginOf(ref); ok && isName(ref) && !strings.HasPrefix(ref, "env://") {
		return openPlugin(ref)
	}
	source, data, err := read(ref)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	key, err := parse(data, source, opt)
	if err != nil {
		return nil, err
	}
	s, err := New(key)
	if err != nil {
		wipe(key)
		return nil, &Error{Source: source, Reason: ReasonUnsupported, Detail: err.Error(), Err: err}
	}
	return s, nil
}

// read returns the PEM that a reference names, and the reference as messages
// may show it.
func read(ref string) (source string, data []byte, err error) {
	switch name, isEnv := strings.CutPrefix(ref, "env://"); {
	case !isName(ref):
		// Someone gave the key where its name belongs: do not print it.
		return "", nil, &Error{Reason: ReasonReference, Detail: "the reference is not a name; is it the key itself?", Hint: "give a path, or env://NAME for a key in an environment variable"}
	case ref == "":
		return "", nil, &Error{Reason: ReasonReference, Detail: "the reference is empty"}
	case isEnv:
		return readEnv(name)
	default:
		data, err = readFile(ref)
		return ref, data, err
	}
}

// isName tells the name of a key from a key that stands where its name belongs.
func isName(ref string) bool {
	return !strings.ContainsAny(ref, "\r\n\x00") && !strings.Contains(ref, "-----")
}

// maxEnvName bounds the name of an environment variable. No private key is that
// short: an Ed25519 key in PKCS #8 is 64 characters of base64.
const maxEnvName = 48

func readEnv(name string) (source string, data []byte, err error) {
	for i, c := range []byte(name) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9' || i == 0) {
			// It may be the value that a shell put in the name's place.
			return "", nil, &Error{Reason: ReasonReference, Detail: "env:// is not followed by the name of an environment variable"}
		}
	}
	if len(name) > maxEnvName {
		// The base64 of a key can be made of letters and digits alone.
		return "", nil, &Error{Reason: ReasonReference, Detail: fmt.Sprintf("what follows env:// is longer than %d characters; is it the key itself?", maxEnvName), Hint: "give the name of an environment variable that holds the key"}
	}
	source = "env://" + name
	value, ok := os.LookupEnv(name)
	if name == "" || !ok || value == "" {
		return "", nil, &Error{Source: source, Reason: ReasonUnreadable, Detail: "the environment variable is not set or empty"}
	}
	if len(value) > maxKeyBytes {
		return "", nil, &Error{Source: source, Reason: ReasonMalformed, Detail: "it is too large for a private key"}
	}
	return source, []byte(value), nil
}

// readFile reads a private key file. Opening does not wait for the other end
// of a FIFO.
func readFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Source: path, Reason: ReasonUnreadable, Detail: "not a regular file", Hint: "for a key that is no file, use env://NAME"}
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, &Error{Source: path, Reason: ReasonMode, Detail: fmt.Sprintf("its mode is %04o: others than its owner can get at it", perm), Hint: "chmod 600 it, and replace the key if others may have read it"}
	}
	if info.Size() > maxKeyBytes {
		return nil, &Error{Source: path, Reason: ReasonMalformed, Detail: "it is too large for a private key"}
	}
	data := make([]byte, info.Size()) // at once: a buffer that grows leaves copies
	if _, err := io.ReadFull(file, data); err != nil {
		clear(data)
		return nil, unreadable(path, err)
	}
	return data, nil
}

func unreadable(path string, err error) *Error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err // the path is in Source
	}
	return &Error{Source: path, Reason: ReasonUnreadable, Detail: err.Error(), Err: err}
}
