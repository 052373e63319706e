package doctor

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/trustedbpf/tbpf/keys"
)

// systemKeyrings are the kernel's own by the names that policies have.
func systemKeyring(name string) string {
	return map[string]string{
		"builtin": ".builtin_trusted_keys", "secondary": ".secondary_trusted_keys", "platform": ".platform", "bpf": ".bpf",
	}[name]
}

func (f *Facts) keyrings() Check {
	const id = "kernel-keyrings"
	wanted := f.policy().KernelKeyring
	if err := f.Keyrings.Err; err != nil {
		remedy := asRoot
		if errors.Is(err, fs.ErrNotExist) {
			remedy = "mount proc on /proc"
		}
		return unknown(id, "the kernel's keyrings cannot be seen: "+err.Error(), remedy)
	}
	var details, short []string
	unseen := false
	for _, ring := range f.Keyrings.Value {
		if ring.Keys.Err != nil {
			unseen = true
			short = append(short, ring.Name+" not readable")
			details = append(details, ring.Name+": "+ring.Keys.Err.Error())
			continue
		}
		short = append(short, fmt.Sprintf("%s %d", ring.Name, len(ring.Keys.Value)))
		for _, key := range ring.Keys.Value {
			line := ring.Name + ": " + key
			if f.trusts(key) {
				line += " (trusted by this machine's keyring)"
			}
			details = append(details, line)
		}
	}
	c := ok(id, "keys in the kernel's own keyrings: "+strings.Join(short, ", "))
	switch {
	case len(short) == 0 && f.Root:
		c = limited(id, "the kernel has no keyrings of its own", "")
	case len(short) == 0:
		c = unknown(id, "this process sees no keyring of the kernel's", asRoot)
	case wanted != "":
		c = f.wantedKeyring(id, wanted, c.Finding)
	case unseen, hidden(f.Policy.Err):
		c = unknown(id, c.Finding, asRoot)
	}
	c.Details = details
	return c
}

// wantedKeyring judges the keyring that the policy has the kernel ask.
func (f *Facts) wantedKeyring(id, wanted, finding string) Check {
	name := systemKeyring(wanted)
	for _, ring := range f.Keyrings.Value {
		switch {
		case ring.Name != name:
		case ring.Keys.Err != nil:
			return unknown(id, name+", which the policy has the kernel ask, cannot be read: "+ring.Keys.Err.Error(), asRoot)
		default:
			if f.reaches(ring) {
				return ok(id, finding+"; the policy's is "+name+", and it has a key that this machine trusts")
			}
			return problem(id, codeKeyring, name+", which the policy has the kernel ask, holds none of the certificates in this machine's keyring", enrolling(wanted))
		}
	}
	return problem(id, codeKeyring, "the policy has the kernel ask "+wanted+", and this kernel has no such keyring", "name another in the policy's kernel-keyring, or leave the key out")
}

// reaches reports whether a keyring has a key that the machine trusts.
// .secondary_trusted_keys also finds what is in .builtin_trusted_keys and
// .machine (certs/system_keyring.c), which hold links and no keys.
func (f *Facts) reaches(ring SystemKeyring) bool {
	rings := []SystemKeyring{ring}
	if ring.Name == systemKeyring("secondary") {
		for _, other := range f.Keyrings.Value {
			if other.Name == systemKeyring("builtin") || other.Name == ".machine" {
				rings = append(rings, other)
			}
		}
	}
	for _, r := range rings {
		for _, key := range r.Keys.Value {
			if f.trusts(key) {
				return true
			}
		}
	}
	return false
}

// trusts reports whether the kernel's description of a key is that of a
// certificate in the machine's keyring: it ends in the subject key identifier
// (crypto/asymmetric_keys/x509_public_key.c, x509_key_preparse).
func (f *Facts) trusts(description string) bool {
	if f.Keyring.Err != nil {
		return false
	}
	for _, key := range f.Keyring.Value.Keys() {
		for _, c := range key.Certificates {
			if id := bytes.TrimLeft(c.SubjectKeyId, "\x00"); len(id) > 0 && strings.HasSuffix(description, ": "+hex.EncodeToString(c.SubjectKeyId)) {
				return true
			}
		}
	}
	return false
}

func enrolling(wanted string) string {
	switch wanted {
	case "platform":
		return "enrol the signer's certificate in the firmware's db, or with mokutil (Secure Boot with shim)"
	case "secondary":
		return "enrol the signer's certificate where the kernel takes it: in .machine with mokutil, or signed by a built-in key"
	default:
		return "the signer's certificate must be built into the kernel, or put there by whoever boots it"
	}
}

func (f *Facts) trustedKeys() Check {
	const id = "keyring"
	dirs := strings.Join(keys.SystemDirs(), " over ")
	if err := f.Keyring.Err; err != nil {
		if hidden(err) {
			return unknown(id, "the machine's keyring cannot be read: "+err.Error(), asRoot)
		}
		return problem(id, codeFiles, err.Error(), mending(err, "each file has PEM certificates or public keys; an empty one removes a vendor's key"))
	}
	ring := f.Keyring.Value
	trusted := ring.Keys()
	if len(trusted)+len(ring.CAs()) == 0 {
		return problem(id, codeNoSigner, "this machine trusts no key: "+dirs+" has none", "install -D -m 0644 release.crt /etc/tbpf/keyring.d/release.crt")
	}
	c := ok(id, fmt.Sprintf("%d trusted, from %s", len(trusted)+len(ring.CAs()), dirs))
	expired := 0
	for _, key := range trusted {
		line := "bare key " + key.ID.String()
		if cert := key.Certificate; cert != nil {
			line = cert.Subject.String() + ", until " + cert.NotAfter.UTC().Format("2006-01-02")
			if cert.NotAfter.Before(f.Now) {
				line += ", expired"
				expired++
			}
		}
		c.Details = append(c.Details, line)
	}
	for _, cert := range ring.CAs() {
		c.Details = append(c.Details, "CA "+cert.Subject.String()+", until "+cert.NotAfter.UTC().Format("2006-01-02"))
	}
	for _, path := range ring.Ignored() {
		c.Details = append(c.Details, path+": not read, because its name does not end in .pem, .crt, .cer or .pub")
	}
	if expired > 0 {
		c.Status, c.Finding, c.Remedy = Limited, c.Finding+fmt.Sprintf(", %d expired", expired), "replace what expired with `tbpf keygen` and sign anew"
	}
	return c
}
