package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// URI is a PKCS #11 URI (RFC 7512) that names one private key.
type URI struct {
	// Token, Manufacturer, Serial and Model tell the token; empty: any.
	Token, Manufacturer, Serial, Model string
	// Slot is the slot's number if HasSlot.
	Slot    uint
	HasSlot bool
	// Object is the key's label and ID its CKA_ID; one of them is set.
	Object string
	ID     []byte
	// ModulePath is the library to load; empty: PKCS11_MODULE_PATH's.
	ModulePath string
	// PINSource is the file that has the PIN; empty: PKCS11_PIN has it.
	PINSource string
}

// maxURI bounds a URI in bytes.
const maxURI = 4096

// ParseURI reads a URI. It is strict: an attribute that it does not know, or
// one that stands twice, is an error, and so is a PIN in the URI, which every
// user of the machine could see. Without the scheme it is taken too: callers of
// the protocol cut it off.
func ParseURI(text string) (*URI, error) {
	if len(text) > maxURI {
		return nil, fmt.Errorf("the PKCS #11 URI is longer than %d bytes", maxURI)
	}
	path, query, hasQuery := strings.Cut(strings.TrimPrefix(text, "pkcs11:"), "?")
	u := &URI{}
	if err := u.attributes(path, ";", u.pathAttribute); err != nil {
		return nil, err
	}
	if hasQuery {
		if err := u.attributes(query, "&", u.queryAttribute); err != nil {
			return nil, err
		}
	}
	if u.Object == "" && len(u.ID) == 0 {
		return nil, errors.New("the PKCS #11 URI names no key: object=LABEL or id=%01")
	}
	return u, nil
}

func (u *URI) attributes(list, separator string, set func(name, value string) error) error {
	seen := make(map[string]bool)
	for _, attribute := range strings.Split(list, separator) {
		name, raw, ok := strings.Cut(attribute, "=")
		if !ok || name == "" {
			return errors.New("the PKCS #11 URI has a part that is not NAME=VALUE")
		}
		if seen[name] {
			return fmt.Errorf("the PKCS #11 URI has %q twice", name)
		}
		seen[name] = true
		value, err := decode(raw)
		if err != nil {
			return fmt.Errorf("the PKCS #11 URI's %q: %w", name, err)
		}
		if value == "" {
			return fmt.Errorf("the PKCS #11 URI's %q is empty", name)
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *URI) pathAttribute(name, value string) error {
	switch name {
	case "token":
		u.Token = value
	case "manufacturer":
		u.Manufacturer = value
	case "serial":
		u.Serial = value
	case "model":
		u.Model = value
	case "object":
		u.Object = value
	case "id":
		u.ID = []byte(value)
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return errors.New("the PKCS #11 URI's slot-id is no number")
		}
		u.Slot, u.HasSlot = uint(n), true
	case "type":
		if value != "private" {
			return fmt.Errorf("the PKCS #11 URI is of type %q, and a private key is needed", value)
		}
	default:
		return fmt.Errorf("the PKCS #11 URI has the attribute %q, which this plugin does not know", name)
	}
	return nil
}

func (u *URI) queryAttribute(name, value string) error {
	switch name {
	case "module-path":
		if !filepath.IsAbs(value) {
			return errors.New("the PKCS #11 URI's module-path is not absolute")
		}
		u.ModulePath = value
	case "pin-source":
		u.PINSource = strings.TrimPrefix(value, "file:")
		if rest, ok := strings.CutPrefix(u.PINSource, "//"); ok { // file:///path
			u.PINSource = rest
		}
		if !filepath.IsAbs(u.PINSource) {
			return errors.New("the PKCS #11 URI's pin-source is no absolute path")
		}
	case "pin-value":
		return errors.New("the PKCS #11 URI has a PIN in it, where others can read it: use pin-source=file:/path or PKCS11_PIN, and change the PIN")
	default:
		return fmt.Errorf("the PKCS #11 URI has the attribute %q, which this plugin does not know", name)
	}
	return nil
}

// decode undoes percent encoding. Bytes that RFC 7512 wants encoded are errors.
func decode(raw string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%':
			if i+2 >= len(raw) {
				return "", errors.New("a percent encoding is cut short")
			}
			n, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New("a percent encoding is no hexadecimal number")
			}
			b.WriteByte(byte(n))
			i += 2
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~:[]@!$'()*+,=/&", c) >= 0:
			b.WriteByte(c)
		default:
			return "", errors.New("a character stands in it that must be percent-encoded")
		}
	}
	return b.String(), nil
}

// maxPIN bounds a PIN in bytes.
const maxPIN = 256

// pin returns the PIN. A file that others may read is not used.
func (u *URI) pin(env func(string) (string, bool)) ([]byte, error) {
	if u.PINSource == "" {
		value, ok := env("PKCS11_PIN")
		if !ok || value == "" {
			return nil, errors.New("there is no PIN: set PKCS11_PIN, or name its file with pin-source=file:/path")
		}
		return []byte(value), nil
	}
	file, err := os.OpenFile(u.PINSource, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read PIN: %s is no regular file, or others than its owner can get at it (chmod 600)", u.PINSource)
	}
	pin, err := io.ReadAll(io.LimitReader(file, maxPIN+1))
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	for len(pin) > 0 && (pin[len(pin)-1] == '\n' || pin[len(pin)-1] == '\r') {
		pin = pin[:len(pin)-1]
	}
	if len(pin) == 0 || len(pin) > maxPIN {
		return nil, fmt.Errorf("read PIN: %s has none, or one of more than %d bytes", u.PINSource, maxPIN)
	}
	return pin, nil
}
