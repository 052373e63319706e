package verify_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/dsse"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/verify"
)

// The numbers of the format, written out here once more: a test that took them
// from the code would not see them change.
const (
	magic      = "~tbpf-seal appended~"
	footerSize = 32

	recordStatement        = 1
	recordSignature        = 2
	recordCertificate      = 3
	recordMetadata         = 4
	recordLoader           = 5
	recordCountersignature = 6
)

// record frames one record.
func record(kind uint32, body ...[]byte) []byte {
	joined := slices.Concat(body...)
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(joined)))
	return append(b, joined...)
}

// footer ends a seal of n bytes of records.
func footer(n uint64, version uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, n)
	b = binary.LittleEndian.AppendUint32(b, version)
	return append(b, magic...)
}

// rawSeal makes a seal of records as they are, right or wrong.
func rawSeal(records ...[]byte) []byte {
	b := slices.Concat(records...)
	return append(b, footer(uint64(len(b)), 1)...)
}

// records are the parts of a good seal, ready to be put together wrongly.
type records struct {
	object                           []byte
	statement, certificate, metadata []byte
	signature, second                []byte // in the right order
	bound, selfcheckExcl, selfcheck  []byte
}

func goodRecords(t testing.TB) records {
	t.Helper()
	d := newDraft(t)
	d.signers = []testKey{loadKey(t, "rsa2048"), loadKey(t, "ed25519-bare")}
	d.embed = func(testKey) bool { return false }
	s := d.seal(t)
	slices.SortFunc(s.Signatures, func(a, b seal.Signature) int { return slices.Compare(a.KeyID[:], b.KeyID[:]) })
	return records{
		object:        d.object,
		statement:     record(recordStatement, s.Payload),
		signature:     signatureRecord(s.Signatures[0]),
		second:        signatureRecord(s.Signatures[1]),
		certificate:   record(recordCertificate, s.Certificates[0]),
		metadata:      record(recordMetadata, s.Metadata),
		bound:         loaderRecord(s.Loaders[0]),
		selfcheckExcl: loaderRecord(s.Loaders[1]),
		selfcheck:     loaderRecord(s.Loaders[2]),
	}
}

func signatureRecord(g seal.Signature) []byte {
	form, key := byte(1), g.PublicKey
	if g.Certificate != nil {
		form, key = 2, g.Certificate
	}
	return rawSignature(g, form, uint16(len(key)), key)
}

func rawSignature(g seal.Signature, form byte, length uint16, key []byte) []byte {
	return record(recordSignature, g.KeyID[:], []byte{byte(g.Algorithm), form},
		binary.LittleEndian.AppendUint16(nil, length), key, g.Value)
}

func loaderRecord(l seal.Loader) []byte {
	return rawLoader(byte(l.Profile), uint16(len(l.CMS)), l.CMS, l.Instructions)
}

func rawLoader(profile byte, length uint16, cms, instructions []byte) []byte {
	return record(recordLoader, []byte{profile}, binary.LittleEndian.AppendUint16(nil, length), cms, instructions)
}

// all puts the parts together as they belong.
func (r records) all() [][]byte {
	return [][]byte{r.statement, r.signature, r.second, r.certificate, r.metadata, r.bound, r.selfcheckExcl, r.selfcheck}
}

func TestRecordsOfTheTestsAreGood(t *testing.T) {
	r := goodRecords(t)
	mustVerify(t, append(slices.Clone(r.object), rawSeal(r.all()...)...), options(t, "rsa2048"))
}

// badFrames break what is outside the records.
func badFrames(t testing.TB) []bad {
	r := goodRecords(t)
	sealed := rawSeal(r.all()...)
	body := sealed[:len(sealed)-footerSize]
	good := append(slices.Clone(r.object), sealed...)
	withFooter := func(n uint64, version uint32) []byte {
		return slices.Concat(r.object, body, footer(n, version))
	}
	n := uint64(len(body))
	otherMagic := slices.Clone(good)
	otherMagic[len(otherMagic)-1] ^= 0x20
	return []bad{
		{reason: verify.NoSeal, name: "empty-file"},
		{reason: verify.NoSeal, name: "object-alone", file: r.object},
		{reason: verify.NoSeal, name: "footer-cut-off", file: good[:len(good)-footerSize]},
		{reason: verify.NoSeal, name: "footer-cut-short", file: good[:len(good)-1]},
		{reason: verify.NoSeal, name: "magic-changed", file: otherMagic},
		{reason: verify.NoSeal, name: "newline-appended", file: append(slices.Clone(good), '\n')},
		{reason: verify.NoSeal, name: "detached-empty", file: r.object, seal: []byte{}},
		{reason: verify.NoSeal, name: "detached-without-footer", file: r.object, seal: body},
		{reason: verify.MalformedSeal, name: "magic-alone", file: []byte(magic)},
		{reason: verify.MalformedSeal, name: "footer-alone", file: footer(0, 1)},
		{reason: verify.MalformedSeal, name: "no-records", file: append(slices.Clone(r.object), footer(0, 1)...)},
		{reason: verify.MalformedSeal, name: "no-object", file: sealed},
		{reason: verify.MalformedSeal, name: "length-zero", file: withFooter(0, 1)},
		{reason: verify.MalformedSeal, name: "length-one-less", file: withFooter(n-1, 1)},
		{reason: verify.MalformedSeal, name: "length-one-more", file: withFooter(n+1, 1)},
		{reason: verify.MalformedSeal, name: "length-over-file", file: withFooter(n+uint64(len(r.object))+1, 1)},
		{reason: verify.MalformedSeal, name: "length-2-32", file: withFooter(n+1<<32, 1)},
		{reason: verify.MalformedSeal, name: "length-2-63", file: withFooter(1<<63+n, 1)},
		{reason: verify.MalformedSeal, name: "length-all-ones", file: withFooter(1<<64-1, 1)},
		{reason: verify.MalformedSeal, name: "version-0", file: withFooter(n, 0)},
		{reason: verify.MalformedSeal, name: "version-2", file: withFooter(n, 2)},
		{reason: verify.MalformedSeal, name: "sealed-twice", file: append(slices.Clone(good), sealed...)},
		{reason: verify.MalformedSeal, name: "detached-and-attached", file: good, seal: sealed},
		{reason: verify.MalformedSeal, name: "detached-with-object-before-it", file: r.object, seal: good},
		{reason: verify.MalformedSeal, name: "detached-bytes-before-footer", file: r.object, seal: slices.Concat(body, []byte("more"), footer(n, 1))},
	}
}

// badRecords break what the records are and how they stand.
func badRecords(t testing.TB) []bad {
	r := goodRecords(t)
	var out []bad
	add := func(name string, list ...[]byte) {
		out = append(out, bad{reason: verify.MalformedSeal, name: name, file: append(slices.Clone(r.object), rawSeal(list...)...)})
	}
	without := func(i int) [][]byte { return slices.Delete(r.all(), i, i+1) }
	swapped := func(i, j int) [][]byte {
		list := r.all()
		list[i], list[j] = list[j], list[i]
		return list
	}
	replaced := func(i int, with []byte) [][]byte {
		list := r.all()
		list[i] = with
		return list
	}
	twice := func(i int) [][]byte { return slices.Insert(r.all(), i, r.all()[i]) }
	add("no-statement", without(0)...)
	add("no-signatures", slices.Delete(r.all(), 1, 3)...)
	add("no-metadata", without(4)...)
	add("no-loader", r.all()[:5]...)
	for i, name := range []string{"statement", "signature", "second-signature", "certificate", "metadata", "loader"} {
		add("twice-"+name, twice(i)...)
	}
	add("signatures-swapped", swapped(1, 2)...)
	add("loaders-swapped", swapped(5, 6)...)
	add("statement-after-signatures", swapped(0, 2)...)
	add("certificate-after-metadata", swapped(3, 4)...)
	add("loader-before-metadata", swapped(4, 5)...)
	add("unknown-record-at-end", append(r.all(), record(7, []byte("more")))...)
	add("unknown-record-first", slices.Insert(r.all(), 0, record(0))...)
	add("unknown-record-high-bit", append(r.all(), record(1<<31, []byte("more")))...)
	add("bytes-after-last-record", append(r.all(), []byte{0, 0, 0})...)
	add("header-after-last-record", append(r.all(), make([]byte, 8))...)
	add("empty-statement", replaced(0, record(recordStatement))...)
	add("empty-certificate", replaced(3, record(recordCertificate))...)
	add("empty-metadata", replaced(4, record(recordMetadata))...)
	add("empty-loader", replaced(5, record(recordLoader))...)
	for name, length := range map[string]uint32{"over-seal": 1 << 20, "2-31": 1 << 31, "all-ones": 1<<32 - 1} {
		long := slices.Clone(r.selfcheck)
		binary.LittleEndian.PutUint32(long[4:], length)
		add("record-length-"+name, replaced(7, long)...)
	}
	badSignatureRecords(t, add)
	badLoaderRecords(t, add)
	badCountersignatureRecords(t, add)
	return out
}

func badSignatureRecords(t testing.TB, add func(string, ...[]byte)) {
	d := bareDraft(t, loadKey(t, "ed25519-bare"))
	s := d.seal(t)
	g := s.Signatures[0]
	rest := [][]byte{record(recordMetadata, s.Metadata), loaderRecord(s.Loaders[0])}
	with := func(name string, signature ...[]byte) {
		add(name, slices.Concat([][]byte{record(recordStatement, s.Payload)}, signature, rest)...)
	}
	n := uint16(len(g.PublicKey))
	with("signature-record-empty", record(recordSignature))
	with("signature-record-cut-short", record(recordSignature, make([]byte, 35)))
	with("signature-key-form-0", rawSignature(g, 0, n, g.PublicKey))
	with("signature-key-form-3", rawSignature(g, 3, n, g.PublicKey))
	with("signature-key-empty", rawSignature(g, 1, 0, nil))
	with("signature-certificate-empty", rawSignature(g, 2, 0, nil))
	with("signature-key-over-record", rawSignature(g, 1, 0xffff, g.PublicKey))
	empty := g
	empty.Value = nil
	with("signature-empty", signatureRecord(empty))
	long := g
	long.Value = make([]byte, seal.MaxSignature+1)
	with("signature-too-long", signatureRecord(long))
	// One key under its own id and under another's is one signer twice.
	many := make([][]byte, 0, seal.MaxSignatures+1)
	for i := range seal.MaxSignatures + 1 {
		one := g
		one.KeyID[0] = byte(i)
		many = append(many, signatureRecord(one))
	}
	with("signatures-17", many...)
	// One certificate stands in the seal once: in the signature, or apart.
	p := loadKey(t, "p256")
	full := newDraft(t).seal(t)
	add("certificate-in-two-records", record(recordStatement, full.Payload), signatureRecord(full.Signatures[0]),
		record(recordCertificate, p.cert.Raw), record(recordMetadata, full.Metadata),
		loaderRecord(full.Loaders[0]), loaderRecord(full.Loaders[1]), loaderRecord(full.Loaders[2]))
}

func badLoaderRecords(t testing.TB, add func(string, ...[]byte)) {
	// Everything below is signed as it stands: only the form is wrong.
	signed := func(name string, change func(d *draft), loader func(seal.Loader) []byte) {
		d := bareDraft(t, loadKey(t, "ed25519-bare"))
		change(d)
		payload, err := manifest.Encode(d.describe(t))
		if err != nil {
			t.Fatal(err)
		}
		g := d.signature(t, d.signers[0], dsse.PAE(manifest.PayloadType, payload))
		add(name, record(recordStatement, payload), signatureRecord(g), record(recordMetadata, d.metadata),
			loader(seal.Loader{Profile: bpfabi.Bound, Instructions: d.loaders[bpfabi.Bound]}))
	}
	same := func(*draft) {}
	signed("metadata-not-multiple-of-eight", func(d *draft) { d.metadata = make([]byte, 12) }, loaderRecord)
	signed("metadata-begins-with-an-instruction", func(d *draft) { d.metadata[0] = 0x95 }, loaderRecord)
	signed("metadata-zero-byte-7-not-zero", func(d *draft) { d.metadata[7] = 1 }, loaderRecord)
	signed("loader-half-an-instruction", func(d *draft) {
		d.loaders[bpfabi.Bound] = append(d.loaders[bpfabi.Bound], 0, 0, 0, 0)
	}, loaderRecord)
	signed("loader-one-instruction", func(d *draft) { d.loaders[bpfabi.Bound] = d.loaders[bpfabi.Bound][16:] }, loaderRecord)
	signed("loader-without-instructions", same, func(l seal.Loader) []byte { return rawLoader(1, 0, nil, nil) })
	signed("loader-record-cut-short", same, func(l seal.Loader) []byte { return record(recordLoader, []byte{1, 0}) })
	signed("loader-profile-0", same, func(l seal.Loader) []byte { return rawLoader(0, 0, nil, l.Instructions) })
	signed("loader-profile-4", same, func(l seal.Loader) []byte { return rawLoader(4, 0, nil, l.Instructions) })
	signed("loader-kernel-signature-over-record", same, func(l seal.Loader) []byte { return rawLoader(1, 0xffff, nil, l.Instructions) })
	signed("loader-kernel-signature-too-long", same, func(l seal.Loader) []byte {
		return rawLoader(1, seal.MaxCMS+8, make([]byte, seal.MaxCMS+8), l.Instructions)
	})
}
