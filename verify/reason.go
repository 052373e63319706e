package verify

import "fmt"

// Reason says why a file is not verified. Values are stable kebab-case; the
// verdict and the exit code follow from them.
type Reason string

// Reasons for the verdict unsigned.
const (
	NoSeal Reason = "no-seal" // the magic at the end is absent
)

// Reasons for the verdict bad-signature.
const (
	MalformedSeal     Reason = "malformed-seal"        // framing, order, sizes, unknown records
	MalformedKey      Reason = "malformed-key"         // an embedded key or certificate is none, or is too weak
	KeyIDMismatch     Reason = "key-id-mismatch"       // a signature's key id is not its key's
	WrongSignature    Reason = "wrong-signature"       // not of the manifest, or not in its one encoding
	SignatureNoPAE    Reason = "signature-without-pae" // of the bare statement, as sign-blob tools make it
	MalformedManifest Reason = "malformed-manifest"
	ObjectMismatch    Reason = "object-mismatch" // the object is not the one that was signed
	ProfileMismatch   Reason = "profile-mismatch"
	LoaderMismatch    Reason = "loader-mismatch"
	MetadataMismatch  Reason = "metadata-mismatch"
	CertMismatch      Reason = "certificate-mismatch" // a certificate is missing, or the manifest does not name it
	KernelSignature   Reason = "kernel-signature"     // a kernel signature is missing, superfluous or wrong
	NotReproducible   Reason = "not-reproducible"     // the object gives other loader programs
	// Of a program and its statement (File):
	MalformedStatement Reason = "malformed-statement"
	FileMismatch       Reason = "file-mismatch" // the program is not the one that was signed
)

// Reasons for the other verdicts.
const (
	NoTrustedSigner       Reason = "no-trusted-signer"         // untrusted: no signature by a key of the keyring
	KernelSignerUntrusted Reason = "kernel-signer-untrusted"   // untrusted: a countersigner who does not count made them anew
	CertificateRefused    Reason = "certificate-refused"       // untrusted: the keyring's certificate is not a signer's
	KeyRevoked            Reason = "key-revoked"               // revoked: a signer's key is on a list
	ObjectRevoked         Reason = "object-revoked"            // revoked: the object or its manifest is
	VersionRevoked        Reason = "version-revoked"           // revoked: versions below another one are
	RevocationMissing     Reason = "revocation-missing"        // revoked: policy wants a list, or there was one
	RevocationExpired     Reason = "revocation-expired"        // revoked: policy wants a newer list
	RevocationRolledBack  Reason = "revocation-rolled-back"    // revoked: a newer list was here before
	RevocationRefused     Reason = "revocation-refused"        // revoked: a list is malformed or badly signed
	CertificateExpired    Reason = "certificate-expired"       // expired
	CertificateNotYet     Reason = "certificate-not-yet-valid" // expired
	ObjectExpired         Reason = "object-expired"            // expired: after the manifest's notAfter
	AlgorithmForbidden    Reason = "algorithm-forbidden"       // policy
	AlgorithmUnchecked    Reason = "algorithm-unchecked"       // policy: one that this program does not check
	ProgramTypeForbidden  Reason = "program-type-forbidden"    // policy
	ProfileForbidden      Reason = "profile-forbidden"         // policy
	IdentityForbidden     Reason = "identity-forbidden"        // policy: a keyless signer that it does not have
	OutOfScope            Reason = "out-of-scope"              // policy: a signer may not sign for this
	TooFewSignatures      Reason = "too-few-signatures"        // threshold
	OlderVersion          Reason = "older-version"             // rollback: a newer one was loaded before
	RegenerationFailed    Reason = "regeneration-failed"       // error: --reproduce could not do its work
	InvalidOptions        Reason = "invalid-options"           // error: the caller's threshold or policy is none
)

// verdict is the class of a reason, in the order of precedence: where one file
// has reasons of several classes, the first of them is reported.
type verdict uint8

const (
	verdictError verdict = iota // also of a reason that is not listed
	verdictUnsigned
	verdictBadSignature
	verdictUntrusted
	verdictRevoked
	verdictExpired
	verdictThreshold
	verdictRollback
	verdictPolicy
)

func (r Reason) verdict() verdict {
	switch r {
	case NoSeal:
		return verdictUnsigned
	case MalformedSeal, MalformedKey, KeyIDMismatch, WrongSignature, SignatureNoPAE, MalformedManifest,
		ObjectMismatch, ProfileMismatch, LoaderMismatch, MetadataMismatch, CertMismatch, KernelSignature, NotReproducible,
		MalformedStatement, FileMismatch:
		return verdictBadSignature
	case NoTrustedSigner, KernelSignerUntrusted, CertificateRefused:
		return verdictUntrusted
	case CertificateExpired, CertificateNotYet, ObjectExpired:
		return verdictExpired
	case KeyRevoked, ObjectRevoked, VersionRevoked, RevocationMissing, RevocationExpired, RevocationRolledBack, RevocationRefused:
		return verdictRevoked
	case TooFewSignatures:
		return verdictThreshold
	case OlderVersion:
		return verdictRollback
	case AlgorithmForbidden, AlgorithmUnchecked, ProgramTypeForbidden, ProfileForbidden, OutOfScope, IdentityForbidden:
		return verdictPolicy
	default:
		return verdictError
	}
}

// Error says that a file is not verified, and why. Every error that Bytes
// returns is one.
type Error struct {
	Reason Reason
	Detail string // in words, without the file's name; names from the file are quoted
	Hint   string // what to do about it; may be empty
	Err    error  // the cause; may be nil
}

func (e *Error) Error() string { return e.Detail }

func (e *Error) Unwrap() error { return e.Err }

// Verdict returns the verdict that commands print.
func (e *Error) Verdict() string {
	switch e.Reason.verdict() {
	case verdictUnsigned:
		return "unsigned"
	case verdictBadSignature:
		return "bad-signature"
	case verdictUntrusted:
		return "untrusted"
	case verdictExpired:
		return "expired"
	case verdictRevoked:
		return "revoked"
	case verdictRollback:
		return "rollback"
	case verdictPolicy:
		return "policy"
	case verdictThreshold:
		return "threshold"
	default:
		return "error"
	}
}

// ExitCode returns the process exit code that goes with the verdict. It is
// never 0.
func (e *Error) ExitCode() int {
	switch e.Reason.verdict() {
	case verdictUnsigned:
		return 10
	case verdictBadSignature:
		return 11
	case verdictUntrusted:
		return 12
	case verdictExpired:
		return 13
	case verdictRevoked:
		return 14
	case verdictRollback:
		return 15
	case verdictPolicy:
		return 16
	case verdictThreshold:
		return 17
	default:
		return 1
	}
}

func refuse(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

func refuseErr(r Reason, err error) *Error { return &Error{Reason: r, Detail: err.Error(), Err: err} }

// foremost returns the error that takes precedence, the earlier of two of one
// class, or nil if there is none.
func foremost(list []*Error) *Error {
	var first *Error
	for _, e := range list {
		if first == nil || e.Reason.verdict() < first.Reason.verdict() {
			first = e
		}
	}
	return first
}
