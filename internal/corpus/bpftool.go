package corpus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Skeleton is what bpftool gen skeleton -L -S makes of an object: a loader
// program with its metadata, signed.
type Skeleton struct {
	Data      []byte `json:"data"`
	Insns     []byte `json:"insns"`
	Signature []byte `json:"signature"`
	Exclusive []byte `json:"exclusive"` // digest of the instructions
	Maps      int    `json:"maps"`      // in the context
	Programs  int    `json:"programs"`
	Context   int    `json:"context"` // bytes
	Bind      bool   `json:"bind"`    // the signature is over the metadata as well
}

// A context is a head, 16 bytes for each map and 4 for each program, which
// begin with a descriptor (libbpf's skel_internal.h: struct bpf_loader_ctx,
// bpf_map_desc, bpf_prog_desc).
const contextHead, contextMap, contextProgram = 24, 16, 4

// Descriptors are the offsets of the descriptors in the context.
func (s *Skeleton) Descriptors() []int {
	var all []int
	for i := range s.Maps {
		all = append(all, contextHead+contextMap*i)
	}
	for i := range s.Programs {
		all = append(all, contextHead+contextMap*s.Maps+contextProgram*i)
	}
	return all
}

// Bpftool signs objects with a key of its own.
type Bpftool struct {
	CertificateDER []byte

	program, dir string
	bind         bool
}

// NewBpftool makes a key for this run and keeps it in dir. bind says that this
// bpftool signs instructions and metadata together, as that of Linux 7.3 does.
func NewBpftool(program, dir string, bind bool) (*Bpftool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	id := sha1.Sum(public)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bpftool"}, SubjectKeyId: id[:],
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: private}, "cert.pem": {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return &Bpftool{CertificateDER: der, program: program, dir: dir, bind: bind}, nil
}

// Sign has bpftool sign an object. A refusal is what bpftool says, or how it
// died; an error is that its answer cannot be read.
func (b *Bpftool) Sign(ctx context.Context, object string) (made *Skeleton, refusal string, err error) {
	cmd := exec.CommandContext(ctx, b.program, "gen", "skeleton", "-L", "-S", "-k", filepath.Join(b.dir, "key.pem"), "-i", filepath.Join(b.dir, "cert.pem"), object, "name", "corpus")
	var said strings.Builder
	cmd.Stderr = &said
	header, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Sprintf("%v: %s", exit, lines[len(lines)-1]), nil
	case err != nil:
		return nil, "", err
	}
	made, err = parseSkeleton(string(header))
	if err != nil {
		return nil, "", err
	}
	made.Bind = b.bind
	return made, "", nil
}

// parseSkeleton takes the parts out of a header that bpftool wrote.
func parseSkeleton(header string) (*Skeleton, error) {
	var s Skeleton
	for _, part := range []struct {
		name string
		into *[]byte
	}{{"opts_data", &s.Data}, {"opts_insn", &s.Insns}, {"opts_sig", &s.Signature}, {"opts_excl_hash", &s.Exclusive}} {
		_, rest, ok := strings.Cut(header, " "+part.name+"[] ")
		if !ok {
			return nil, fmt.Errorf("read skeleton of bpftool: it has no %s", part.name)
		}
		_, rest, _ = strings.Cut(rest, "\"")
		text, _, ok := strings.Cut(rest, "\"")
		if !ok {
			return nil, fmt.Errorf("read skeleton of bpftool: %s has no end", part.name)
		}
		var err error
		if *part.into, err = unescape(text); err != nil {
			return nil, fmt.Errorf("read skeleton of bpftool: %s: %w", part.name, err)
		}
	}
	s.Maps = len(regexp.MustCompile(`(?m)^\t\tstruct bpf_map_desc `).FindAllString(header, -1))
	s.Programs = len(regexp.MustCompile(`(?m)^\t\tstruct bpf_prog_desc `).FindAllString(header, -1))
	s.Context = contextHead + contextMap*s.Maps + contextProgram*s.Programs
	return &s, nil
}

// unescape reads a C string of bytes that are all escaped, in hex or as zero.
func unescape(text string) ([]byte, error) {
	var out []byte
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\\\n"):
			text = text[2:]
		case strings.HasPrefix(text, `\0`):
			out, text = append(out, 0), text[2:]
		case strings.HasPrefix(text, `\x`) && len(text) >= 4:
			b, err := hex.DecodeString(text[2:4])
			if err != nil {
				return nil, err
			}
			out, text = append(out, b...), text[4:]
		default:
			return nil, fmt.Errorf("it has a byte that is not escaped: %.4q", text)
		}
	}
	return out, nil
}
