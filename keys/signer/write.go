package signer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the most that a common name may have (RFC 5280 appendix A.1,
// ub-common-name), counted here in bytes.
const maxName = 64

// CheckName returns nil for a name that can be a certificate's common name and
// the beginning of a file name: printable, without path separators, not hidden
// and no option.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name has %d bytes: at most %d are taken", len(name), maxName)
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case name[0] == '.' || name[0] == '-':
		return fmt.Errorf("the name %q begins with %q", name, name[0])
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("the name %q has a path separator", name)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the name %q has a character that cannot be printed", name)
		}
	}
	return nil
}

// File is one file that WriteFiles makes: Data under Name plus Suffix.
type File struct {
	Suffix string // ".key", ".crt", ".csr"
	Data   []byte
	Secret bool // mode 0600 and not 0644
}

// WriteFiles writes files that belong together into dir, all or none. It
// never overwrites: a file that exists already is an error (fs.ErrExist), and
// then nothing is written. It returns the paths.
func WriteFiles(dir, name string, files ...File) (paths []string, err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	defer root.Close()
	var made []string
	defer func() {
		if err != nil {
			for _, file := range made {
				err = errors.Join(err, root.Remove(file))
			}
		}
	}()
	for _, file := range files {
		mode := fs.FileMode(0o644)
		if file.Secret {
			mode = 0o600
		}
		out, err := root.OpenFile(name+file.Suffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return nil, fmt.Errorf("write keys: %w", err)
		}
		made = append(made, name+file.Suffix)
		if err := writeOut(out, file.Data); err != nil {
			return nil, fmt.Errorf("write keys: %w", err)
		}
		paths = append(paths, out.Name())
	}
	return paths, nil
}

// writeOut writes, asks for the data to reach the disk, and closes: a key that
// is lost after its certificate was given away cannot be had again.
func writeOut(out *os.File, data []byte) error {
	_, err := out.Write(data)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
