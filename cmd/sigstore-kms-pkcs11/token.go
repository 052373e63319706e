package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"

	"github.com/miekg/pkcs11"
)

// key is one private key in a token, with a session that may use it.
type key struct {
	library *pkcs11.Ctx
	session pkcs11.SessionHandle
	private pkcs11.ObjectHandle
	public  crypto.PublicKey
	pin     []byte
}

// open finds the one token and the one key that the URI names.
func open(u *URI, pin []byte) (k *key, err error) {
	path := u.ModulePath
	if path == "" {
		path = os.Getenv("PKCS11_MODULE_PATH")
	}
	if path == "" {
		return nil, errors.New("there is no PKCS #11 module: set PKCS11_MODULE_PATH, or name it with module-path=")
	}
	library := pkcs11.New(path)
	if library == nil {
		return nil, fmt.Errorf("the PKCS #11 module %s cannot be loaded", path)
	}
	if err := library.Initialize(); err != nil {
		library.Destroy()
		return nil, fmt.Errorf("start PKCS #11 module: %w", err)
	}
	k = &key{library: library, pin: pin}
	defer func() {
		if err != nil {
			k.close()
			k = nil
		}
	}()
	slot, err := u.slot(library)
	if err != nil {
		return k, err
	}
	if k.session, err = library.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION); err != nil {
		return k, fmt.Errorf("open session: %w", err)
	}
	if err := library.Login(k.session, pkcs11.CKU_USER, string(pin)); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return k, fmt.Errorf("log in to the token: %w", err)
	}
	if k.private, err = k.find(u, pkcs11.CKO_PRIVATE_KEY); err != nil {
		return k, err
	}
	k.public, err = k.publicKey(u)
	return k, err
}

func (k *key) close() {
	if k.session != 0 {
		k.library.CloseSession(k.session)
	}
	k.library.Finalize()
	k.library.Destroy()
}

func (u *URI) slot(library *pkcs11.Ctx) (uint, error) {
	slots, err := library.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list tokens: %w", err)
	}
	var found []uint
	for _, slot := range slots {
		info, err := library.GetTokenInfo(slot)
		if err != nil {
			continue // pulled out meanwhile
		}
		is := func(want, have string) bool { return want == "" || want == strings.TrimRight(have, " \x00") }
		if is(u.Token, info.Label) && is(u.Manufacturer, info.ManufacturerID) && is(u.Serial, info.SerialNumber) &&
			is(u.Model, info.Model) && (!u.HasSlot || u.Slot == slot) {
			found = append(found, slot)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d tokens are those that the URI names, one is wanted: token=, serial= or slot-id= tell them apart", len(found))
	}
	return found[0], nil
}

// find returns the one object of a class that has the URI's label and id.
func (k *key) find(u *URI, class uint) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if u.Object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, u.Object))
	}
	if len(u.ID) != 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, u.ID))
	}
	if err := k.library.FindObjectsInit(k.session, template); err != nil {
		return 0, fmt.Errorf("look for the key: %w", err)
	}
	defer k.library.FindObjectsFinal(k.session)
	found, _, err := k.library.FindObjects(k.session, 2)
	if err != nil {
		return 0, fmt.Errorf("look for the key: %w", err)
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%s keys are those that the URI names, one is wanted: object= and id= tell them apart", []string{"no", "one", "several"}[len(found)])
	}
	return found[0], nil
}

func (k *key) attribute(object pkcs11.ObjectHandle, name uint) ([]byte, error) {
	list, err := k.library.GetAttributeValue(k.session, object, []*pkcs11.Attribute{pkcs11.NewAttribute(name, nil)})
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(list) != 1 {
		return nil, errors.New("read key: the token gave no such attribute")
	}
	return list[0].Value, nil
}

// publicKey is read from the private key if that has it, or from the public
// key of the same name.
func (k *key) publicKey(u *URI) (crypto.PublicKey, error) {
	kind, err := k.attribute(k.private, pkcs11.CKA_KEY_TYPE)
	if err != nil {
		return nil, err
	}
	switch {
	case isType(kind, pkcs11.CKK_RSA):
		n, err := k.attribute(k.private, pkcs11.CKA_MODULUS)
		if err != nil {
			return nil, err
		}
		e, err := k.attribute(k.private, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return nil, err
		}
		exponent := new(big.Int).SetBytes(e)
		if !exponent.IsInt64() || exponent.Int64() > 1<<31-1 {
			return nil, errors.New("the RSA key's exponent is too large")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
	case isType(kind, pkcs11.CKK_EC):
		public, err := k.find(u, pkcs11.CKO_PUBLIC_KEY)
		if err != nil {
			return nil, fmt.Errorf("the public key: %w", err)
		}
		return k.ecPublic(public)
	}
	return nil, errors.New("the key is neither RSA nor EC")
}

func isType(value []byte, want uint) bool {
	return bytes.Equal(value, pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, want).Value)
}

func (k *key) ecPublic(object pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	params, err := k.attribute(object, pkcs11.CKA_EC_PARAMS)
	if err != nil {
		return nil, err
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) != 0 {
		return nil, errors.New("the EC key's curve is not a named one")
	}
	curve, ok := map[string]elliptic.Curve{
		"1.2.840.10045.3.1.7": elliptic.P256(), "1.3.132.0.34": elliptic.P384(), "1.3.132.0.35": elliptic.P521(),
	}[oid.String()]
	if !ok {
		return nil, fmt.Errorf("the EC key's curve %v is not one of this plugin", oid)
	}
	point, err := k.attribute(object, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	var octets []byte // an OCTET STRING, says PKCS #11 since 2.20; some tokens leave that out
	if rest, err := asn1.Unmarshal(point, &octets); err == nil && len(rest) == 0 {
		point = octets
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("the EC key: %w", err)
	}
	return public, nil
}

func (k *key) publicPEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// sign signs a digest: RSA by PKCS #1 v1.5, ECDSA as ECDSA-Sig-Value in DER.
func (k *key) sign(hash crypto.Hash, digest []byte) ([]byte, error) {
	if !hash.Available() || len(digest) != hash.Size() {
		return nil, fmt.Errorf("the digest of %d bytes is not one of hash function %d", len(digest), hash)
	}
	if _, ok := k.public.(*rsa.PublicKey); ok {
		prefix, err := digestInfo(hash)
		if err != nil {
			return nil, err
		}
		return k.raw(pkcs11.CKM_RSA_PKCS, append(prefix, digest...))
	}
	raw, err := k.raw(pkcs11.CKM_ECDSA, digest)
	if err != nil {
		return nil, err
	}
	return toDER(raw)
}

// toDER makes an ECDSA-Sig-Value of r and s in a row, which tokens give.
func toDER(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("the token's signature has %d bytes", len(raw))
	}
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}

func (k *key) raw(mechanism uint, data []byte) ([]byte, error) {
	if err := k.library.SignInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, k.private); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	// Some keys want the PIN for every signature.
	if always, err := k.attribute(k.private, pkcs11.CKA_ALWAYS_AUTHENTICATE); err == nil && len(always) == 1 && always[0] != 0 {
		if err := k.library.Login(k.session, pkcs11.CKU_CONTEXT_SPECIFIC, string(k.pin)); err != nil {
			return nil, fmt.Errorf("log in for the signature: %w", err)
		}
	}
	sig, err := k.library.Sign(k.session, data)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

// digestInfo is what stands before a digest in PKCS #1 v1.5 (RFC 8017 section 9.2).
func digestInfo(hash crypto.Hash) ([]byte, error) {
	var last, size byte
	switch hash {
	case crypto.SHA256:
		last, size = 1, 32
	case crypto.SHA384:
		last, size = 2, 48
	case crypto.SHA512:
		last, size = 3, 64
	default:
		return nil, fmt.Errorf("hash function %v is not one of this plugin", hash)
	}
	return []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0, 4, size}, nil
}
