package verify_test

import (
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/verify"
)

// signedTwice has everything that a seal can have: kernel signatures, a signer
// with a certificate of its own, a bare key, a key outside the keyring.
func signedTwice(t testing.TB) ([]byte, verify.Options) {
	d := newDraft(t)
	d.signers = append(d.signers, loadKey(t, "rsa2048"), loadKey(t, "ed25519-bare"), loadKey(t, "p256-other"))
	d.embed = func(k testKey) bool { return k.cert != nil && k.cert.Subject.CommonName != "tbpf test key p256-other" }
	opt := options(t, "p256", "rsa2048", "ed25519-bare")
	opt.Threshold = 1 // one good signature is enough: a flip in any other must be seen all the same
	return d.file(t), opt
}

// There is no byte in a sealed object that can change while it still verifies.
func TestNoBitOfASealedObjectIsLoose(t *testing.T) {
	file, opt := signedTwice(t)
	mustVerify(t, file, opt)
	forEachBit(t, file, func(changed []byte) (*verify.Verified, error) { return verify.Bytes(changed, opt) })
}

func TestNoBitOfADetachedSealIsLoose(t *testing.T) {
	file, opt := signedTwice(t)
	object := testObject()
	opt.Seal = file[len(object):]
	mustVerify(t, object, opt)
	forEachBit(t, opt.Seal, func(changed []byte) (*verify.Verified, error) {
		o := opt
		o.Seal = changed
		return verify.Bytes(object, o)
	})
	forEachBit(t, object, func(changed []byte) (*verify.Verified, error) { return verify.Bytes(changed, opt) })
}

func forEachBit(t *testing.T, b []byte, check func([]byte) (*verify.Verified, error)) {
	t.Helper()
	for i := range b {
		for bit := range 8 {
			if testing.Short() && bit != i%8 {
				continue
			}
			changed := slices.Clone(b)
			changed[i] ^= 1 << bit
			refused(t, check, changed, "bit %d of byte %d flipped", bit, i)
		}
	}
}

func refused(t *testing.T, check func([]byte) (*verify.Verified, error), changed []byte, format string, args ...any) {
	t.Helper()
	v, err := check(changed)
	if err == nil || v != nil {
		t.Errorf(format+": verified", args...)
		return
	}
	e, ok := err.(*verify.Error)
	if !ok || e.ExitCode() != 10 && e.ExitCode() != 11 {
		t.Errorf(format+": %v, which is neither unsigned nor a bad signature", append(args, err)...)
	}
}

// Bytes put in, left out or cut off anywhere are seen as well.
func TestNoByteCanBeInsertedRemovedOrCutOff(t *testing.T) {
	file, opt := signedTwice(t)
	check := func(changed []byte) (*verify.Verified, error) { return verify.Bytes(changed, opt) }
	for i := range file {
		refused(t, check, slices.Delete(slices.Clone(file), i, i+1), "byte %d removed", i)
		refused(t, check, slices.Insert(slices.Clone(file), i, 0), "zero inserted at %d", i)
		refused(t, check, slices.Insert(slices.Clone(file), i, file[i]), "byte %d doubled", i)
		refused(t, check, file[:i], "cut at %d", i)
		refused(t, check, file[i+1:], "begun at %d", i+1)
	}
	refused(t, check, append(slices.Clone(file), 0), "zero appended")
	refused(t, check, append(slices.Clone(file), '\n'), "newline appended")
	refused(t, check, append(slices.Clone(file), file...), "file doubled")
}
