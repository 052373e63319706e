package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"github.com/trustedbpf/tbpf/keys"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func oid(arcs ...int) asn1.ObjectIdentifier { return arcs }

// element encodes one DER element.
func element(tag casn1.Tag, parts ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(parts, nil)) })
	return b.BytesOrPanic()
}

func seq(parts ...[]byte) []byte { return element(casn1.SEQUENCE, parts...) }
func set(parts ...[]byte) []byte { return element(casn1.SET, parts...) }

func id(o asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(o)
	return b.BytesOrPanic()
}

// pieces are the parts of a signature, each of which a test replaces.
type pieces struct {
	contentType, version, digests, content, extra, signerVersion, signerID, digest, attrs, signature, value, unsigned []byte
	trailing, wrapTrailing, infoTrailing                                                                              []byte
	moreSigners, crls                                                                                                 []byte
}

var (
	sha256ID = oid(2, 16, 840, 1, 101, 3, 4, 2, 1)
	sha512ID = oid(2, 16, 840, 1, 101, 3, 4, 2, 3)
	rsaID    = oid(1, 2, 840, 113549, 1, 1, 1)
	dataID   = oid(1, 2, 840, 113549, 1, 7, 1)
	null     = []byte{5, 0}
)

func good() pieces {
	return pieces{
		contentType:   id(oid(1, 2, 840, 113549, 1, 7, 2)),
		version:       []byte{2, 1, 3},
		digests:       set(seq(id(sha256ID))),
		content:       seq(id(dataID)),
		signerVersion: []byte{2, 1, 3},
		signerID:      []byte{0x80, 3, 1, 2, 3},
		digest:        seq(id(sha256ID)),
		signature:     seq(id(rsaID), null),
		value:         element(casn1.OCTET_STRING, bytes.Repeat([]byte{9}, 256)),
	}
}

func (p pieces) signer() []byte {
	return seq(p.signerVersion, p.signerID, p.digest, p.attrs, p.signature, p.value, p.unsigned)
}

func (p pieces) der() []byte {
	data := seq(p.version, p.digests, p.content, p.extra, set(p.signer(), p.moreSigners), p.crls)
	return append(seq(p.contentType, element(casn1.Tag(0).Constructed().ContextSpecific(), data, p.wrapTrailing), p.infoTrailing), p.trailing...)
}

func TestParseReadsBothForms(t *testing.T) {
	s, err := Parse(good().der())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.SubjectKeyID, []byte{1, 2, 3}) || s.Issuer != nil || s.Serial != nil || s.Algorithm != keys.RSAPKCS1v15SHA256 || len(s.Signature) != 256 {
		t.Errorf("%+v", s)
	}
	p := good()
	p.version, p.signerVersion, p.signerID = []byte{2, 1, 1}, []byte{2, 1, 1}, seq(seq(), []byte{2, 1, 77})
	s, err = Parse(p.der())
	if err != nil {
		t.Fatal(err)
	}
	if s.SubjectKeyID != nil || !bytes.Equal(s.Issuer, seq()) || s.Serial.Cmp(big.NewInt(77)) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestParseKeepsNothingOfItsInput(t *testing.T) {
	der := good().der()
	s, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	clear(der)
	if !bytes.Equal(s.SubjectKeyID, []byte{1, 2, 3}) || s.Signature[0] != 9 {
		t.Error("the result changed with the input")
	}
}

// A07, A16: everything that is not the one form, with the cause that is named.
func TestParseRefuses(t *testing.T) {
	explicit := func(n uint8, parts ...[]byte) []byte {
		return element(casn1.Tag(n).Constructed().ContextSpecific(), parts...)
	}
	attribute := seq(id(oid(1, 2, 840, 113549, 1, 9, 3)), set(id(dataID)))
	for name, test := range map[string]struct {
		change func(*pieces)
		want   string
	}{
		"trailing byte":              {func(p *pieces) { p.trailing = []byte{0} }, "not one SEQUENCE"},
		"second ContentInfo":         {func(p *pieces) { p.trailing = good().der() }, "not one SEQUENCE"},
		"trailing in ContentInfo":    {func(p *pieces) { p.infoTrailing = null }, "not SignedData"},
		"trailing in [0]":            {func(p *pieces) { p.wrapTrailing = null }, "not SignedData"},
		"other content type":         {func(p *pieces) { p.contentType = id(dataID) }, "not SignedData"},
		"no content type":            {func(p *pieces) { p.contentType = nil }, "not SignedData"},
		"no version":                 {func(p *pieces) { p.version = nil }, "without version"},
		"long version":               {func(p *pieces) { p.version = []byte{2, 2, 0, 3} }, "without version"},
		"no digests":                 {func(p *pieces) { p.digests = nil }, "without version or digest"},
		"empty digests":              {func(p *pieces) { p.digests = set() }, "not exactly one digest"},
		"two digests":                {func(p *pieces) { p.digests = set(seq(id(sha256ID)), seq(id(sha512ID))) }, "not exactly one digest"},
		"attached content":           {func(p *pieces) { p.content = seq(id(dataID), explicit(0, []byte{4, 1, 'x'})) }, "not detached"},
		"content that is not data":   {func(p *pieces) { p.content = seq(id(oid(1, 2, 3))) }, "not detached"},
		"no content":                 {func(p *pieces) { p.content = nil }, "not detached"},
		"no certificates in a list":  {func(p *pieces) { p.extra = explicit(0) }, "empty list of certificates"},
		"a certificate that is none": {func(p *pieces) { p.extra = explicit(0, set()) }, "certificate that is none"},
		"a certificate twice":        {func(p *pieces) { p.extra = explicit(0, seq(null), seq(null)) }, "twice or out of order"},
		"certificates out of order":  {func(p *pieces) { p.extra = explicit(0, seq(null, null), seq()) }, "twice or out of order"},
		"five certificates": {func(p *pieces) {
			p.extra = explicit(0, seq([]byte{1, 1, 0}), seq([]byte{1, 1, 1}), seq([]byte{1, 1, 2}), seq([]byte{1, 1, 3}), seq([]byte{1, 1, 4}))
		}, "too many"},
		"certificates and a key id": {func(p *pieces) { p.extra = explicit(0, seq()) }, "by its subject key identifier"},
		"CRLs":                      {func(p *pieces) { p.extra = explicit(1, seq()) }, "CRLs are not taken"},
		"something after signers":   {func(p *pieces) { p.crls = explicit(1, seq()) }, "CRLs are not taken"},
		"two signers":               {func(p *pieces) { p.moreSigners = p.signer() }, "not exactly one signer"},
		"version 4 and 4":           {func(p *pieces) { p.version, p.signerVersion = []byte{2, 1, 4}, []byte{2, 1, 4} }, "unknown version"},
		"version 3 and 1":           {func(p *pieces) { p.signerVersion = []byte{2, 1, 1} }, "versions of SignedData and SignerInfo differ"},
		"version 1 and 3":           {func(p *pieces) { p.version = []byte{2, 1, 1} }, "versions of SignedData and SignerInfo differ"},
		"no signer version":         {func(p *pieces) { p.signerVersion = nil }, "versions of SignedData and SignerInfo differ"},
		"version 1 with key id":     {func(p *pieces) { p.version, p.signerVersion = []byte{2, 1, 1}, []byte{2, 1, 1} }, "version 1 without"},
		"version 3 with issuer":     {func(p *pieces) { p.signerID = seq(seq(), []byte{2, 1, 7}) }, "version 3 without"},
		"empty key id":              {func(p *pieces) { p.signerID = []byte{0x80, 0} }, "version 3 without"},
		"trailing after serial":     {func(p *pieces) { serial(p, seq(seq(), []byte{2, 1, 7}, null)) }, "version 1 without"},
		"no serial":                 {func(p *pieces) { serial(p, seq(seq())) }, "version 1 without"},
		"long serial":               {func(p *pieces) { serial(p, seq(seq(), []byte{2, 2, 0, 7})) }, "version 1 without"},
		"digests that differ":       {func(p *pieces) { p.digest = seq(id(sha512ID)) }, "not the one listed"},
		"no digest":                 {func(p *pieces) { p.digest = nil }, "not the one listed"},
		"signed attributes":         {func(p *pieces) { p.attrs = explicit(0, attribute) }, "signed attributes"},
		"unsigned attributes":       {func(p *pieces) { p.unsigned = explicit(1, attribute) }, "unsigned attributes"},
		"no signature value":        {func(p *pieces) { p.value = nil }, "no signature value"},
		"SHA-1":                     {func(p *pieces) { p.digest = seq(id(oid(1, 3, 14, 3, 2, 26))); p.digests = set(p.digest) }, "does not take"},
		"MD5":                       {func(p *pieces) { p.digest = seq(id(oid(1, 2, 840, 113549, 2, 5))); p.digests = set(p.digest) }, "does not take"},
		"sha256WithRSAEncryption":   {func(p *pieces) { p.signature = seq(id(oid(1, 2, 840, 113549, 1, 1, 11)), null) }, "does not take"},
		"RSASSA-PSS":                {func(p *pieces) { p.signature = seq(id(oid(1, 2, 840, 113549, 1, 1, 10))) }, "does not take"},
		"id-ecPublicKey":            {func(p *pieces) { p.signature = seq(id(oid(1, 2, 840, 10045, 2, 1))) }, "does not take"},
		"Ed25519":                   {func(p *pieces) { p.signature = seq(id(oid(1, 3, 101, 112))) }, "does not take"},
		"ECDSA with another digest": {func(p *pieces) { p.signature = seq(id(oid(1, 2, 840, 10045, 4, 3, 4))) }, "does not take"},
		"RSA without NULL":          {func(p *pieces) { p.signature = seq(id(rsaID)) }, "not in its one encoding"},
		"digest with NULL":          {func(p *pieces) { p.digest = seq(id(sha256ID), null) }, "not in its one encoding"},
		"listed digest with NULL":   {func(p *pieces) { p.digests = set(seq(id(sha256ID), null)) }, "not in its one encoding"},
		"both digests with NULL":    {func(p *pieces) { p.digest = seq(id(sha256ID), null); p.digests = set(p.digest) }, "not in its one encoding"},
		"ECDSA with NULL":           {func(p *pieces) { p.signature = seq(id(oid(1, 2, 840, 10045, 4, 3, 2)), null) }, "not in its one encoding"},
		"parameters with a tail":    {func(p *pieces) { p.signature = seq(id(rsaID), null, null) }, "not in its one encoding"},
		"longer than 8192 bytes":    {func(p *pieces) { p.value = element(casn1.OCTET_STRING, make([]byte, MaxSize)) }, "longer than the kernel takes"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good()
			test.change(&p)
			s, err := Parse(p.der())
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v; want an error with %q", s, err, test.want)
			}
		})
	}
}

// The frames, each replaced by something else or left out.
func TestParseRefusesOtherFrames(t *testing.T) {
	p := good()
	explicit0 := casn1.Tag(0).Constructed().ContextSpecific()
	head := [][]byte{p.version, p.digests, p.content}
	info := func(parts ...[]byte) []byte { return seq(p.contentType, element(explicit0, parts...)) }
	for name, test := range map[string]struct {
		der  []byte
		want string
	}{
		"nothing":              {nil, "not one SEQUENCE"},
		"a SET outside":        {set(p.contentType), "not one SEQUENCE"},
		"no [0]":               {seq(p.contentType, seq()), "not SignedData"},
		"[0] without SEQUENCE": {info(set()), "not SignedData"},
		"content is a SET":     {info(seq(p.version, p.digests, set(id(dataID)), set(p.signer()))), "not detached"},
		"signers are no SET":   {info(seq(append(head, seq(p.signer()))...)), "CRLs are not taken"},
		"no signer":            {info(seq(append(head, set())...)), "not exactly one signer"},
		"signer is a SET":      {info(seq(append(head, set(set()))...)), "not exactly one signer"},
	} {
		if _, err := Parse(test.der); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, test.want)
		}
	}
}

func serial(p *pieces, signerID []byte) {
	p.version, p.signerVersion, p.signerID = []byte{2, 1, 1}, []byte{2, 1, 1}, signerID
}

// BER in every place where a length stands: its long form, and the indefinite.
func TestParseRefusesBER(t *testing.T) {
	der := good().der()
	if _, err := Parse(append([]byte{0x30, 0x80}, append(der[4:], 0, 0)...)); !errors.Is(err, ErrFormat) {
		t.Errorf("indefinite length: %v", err)
	}
	if _, err := Parse(append([]byte{0x30, 0x83, 0}, der[2:]...)); !errors.Is(err, ErrFormat) {
		t.Errorf("long length: %v", err)
	}
	p := good()
	p.value = append([]byte{0x24, 0x80}, append(good().value, 0, 0)...) // OCTET STRING in parts
	if _, err := Parse(p.der()); !errors.Is(err, ErrFormat) {
		t.Errorf("constructed string: %v", err)
	}
}

func TestParseRefusesEveryCut(t *testing.T) {
	der := good().der()
	for n := range der {
		if _, err := Parse(der[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("%d bytes of %d: %v", n, len(der), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good().der())
	for kind := range kinds {
		for _, form := range []string{"keyid", "serial"} {
			f.Add(read(f, "testdata", kind+"-"+form+".cms"))
		}
	}
	for _, algorithm := range []string{"ml-dsa-65", "ml-dsa-87"} {
		_, der := mldsaSigned(f, algorithm)
		f.Add(der)
	}
	cert := readCertificate(f, "testdata", "p256.crt")
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := Parse(der)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		if again, err := s.encode(); err != nil || !bytes.Equal(again, der) {
			t.Fatalf("accepted in a second encoding: %x", der)
		}
		if s.Check(cert, []byte("other payload")) == nil {
			t.Fatal("a signature of another payload passes")
		}
	})
}
