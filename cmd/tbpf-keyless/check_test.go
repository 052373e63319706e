package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

const (
	identity = "https://github.com/acme/bpf/.github/workflows/sign.yml@refs/tags/v1"
	issuer   = "https://token.actions.githubusercontent.com"
)

// sigstore is a Fulcio and a Rekor of the test's own.
func sigstore(t *testing.T) (*ca.VirtualSigstore, []byte) {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	// A private sigstore without logs of certificates; the virtual one puts its
	// certificates into none.
	logs := v.RekorLogs()
	for id, log := range logs {
		if log.ID, err = hex.DecodeString(id); err != nil { // as a trusted root's file has it
			t.Fatal(err)
		}
	}
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, v.FulcioCertificateAuthorities(), nil, nil, logs)
	if err != nil {
		t.Fatal(err)
	}
	data, err := material.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return v, data
}

func statement(digest string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x.bpf.o","digest":{"sha256":"%s"}}],"predicateType":"https://github.com/trustedbpf/tbpf/manifest/v1","predicate":{}}`, digest)
}

// attest is a bundle over a statement, as cosign attest-blob writes it.
func attest(t *testing.T, v *ca.VirtualSigstore, payload []byte) []byte {
	t.Helper()
	entity, err := v.AttestAtTime(identity, issuer, payload, time.Now().Add(5*time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	content, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	verification, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	envelope := content.EnvelopeContent().RawEnvelope()
	var log []*protorekor.TransparencyLogEntry
	for _, e := range entries {
		log = append(log, promised(t, v, e.TransparencyLogEntry()))
	}
	data, err := protojson.Marshal(&protobundle.Bundle{
		MediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: verification.Certificate().Raw}},
			TlogEntries: log,
		},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: envelope.PayloadType,
			Signatures: []*protodsse.Signature{{Sig: content.Signature()}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// promised completes an entry with what a bundle's file has and the virtual log
// keeps to itself.
func promised(t *testing.T, v *ca.VirtualSigstore, e *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	t.Helper()
	set, err := v.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(e.CanonicalizedBody), IntegratedTime: e.IntegratedTime,
		LogIndex: e.LogIndex, LogID: hex.EncodeToString(e.LogId.KeyId),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: set}
	return e
}

func TestABundleOfAPinnedIdentityIsVerified(t *testing.T) {
	v, trusted := sigstore(t)
	digest := strings.Repeat("ab", 32)
	payload := statement(digest)
	sum := sha256.Sum256(payload)
	signed := attest(t, v, payload)
	for _, pins := range [][]Pin{
		{{identity, issuer}},
		{{"https://github.com/acme/bpf/*", issuer}},
		{{"somebody", "else"}, {identity, issuer}},
	} {
		found, err := Check(signed, trusted, digest, pins)
		if err != nil {
			t.Fatal(err)
		}
		if found.Identity != identity || found.Issuer != issuer || found.Statement != hex.EncodeToString(sum[:]) || found.Time.IsZero() {
			t.Errorf("%+v", found)
		}
	}
}

func TestBundlesThatAreRefused(t *testing.T) {
	v, trusted := sigstore(t)
	_, otherRoot := sigstore(t)
	digest := strings.Repeat("ab", 32)
	good := attest(t, v, statement(digest))
	pins := []Pin{{identity, issuer}}
	// edit changes the bundle's JSON.
	edit := func(change func(m map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	material := func(m map[string]any) map[string]any { return m["verificationMaterial"].(map[string]any) }
	for about, c := range map[string]struct {
		signed, root []byte
		digest       string
		pins         []Pin
	}{
		"another identity":    {good, trusted, digest, []Pin{{identity + "2", issuer}}},
		"another issuer":      {good, trusted, digest, []Pin{{identity, issuer + "2"}}},
		"a part of one":       {good, trusted, digest, []Pin{{identity[:len(identity)-1], issuer}}},
		"identity as pattern": {good, trusted, digest, []Pin{{"https://github.com/acme/.*/sign.yml*", issuer}}},
		"everybody":           {good, trusted, digest, []Pin{{"*", issuer}}},
		"nobody":              {good, trusted, digest, nil},
		"no issuer":           {good, trusted, digest, []Pin{{identity, ""}}},
		"another root":        {good, otherRoot, digest, pins},
		"no root":             {good, []byte("{}"), digest, pins},
		"another object":      {good, trusted, strings.Repeat("cd", 32), pins},
		"no digest":           {good, trusted, "", pins},
		"no bundle":           {[]byte("{}"), trusted, digest, pins},
		"no log entry":        {edit(func(m map[string]any) { delete(material(m), "tlogEntries") }), trusted, digest, pins},
		"no certificate":      {edit(func(m map[string]any) { delete(material(m), "certificate") }), trusted, digest, pins},
		"a key instead of one": {edit(func(m map[string]any) {
			delete(material(m), "certificate")
			material(m)["publicKey"] = map[string]any{"hint": "x"}
		}), trusted, digest, pins},
		"another payload": {edit(func(m map[string]any) {
			m["dsseEnvelope"].(map[string]any)["payload"] = "e30="
		}), trusted, digest, pins},
		"another type": {edit(func(m map[string]any) {
			m["dsseEnvelope"].(map[string]any)["payloadType"] = "text/plain"
		}), trusted, digest, pins},
	} {
		if found, err := Check(c.signed, c.root, c.digest, c.pins); err == nil || found != nil {
			t.Errorf("%s: %+v", about, found)
		}
	}
}

// A bundle of a real release, by the public good instance, with its trusted root:
// sigstore-go's own examples. Offline, with the time that the log attests to.
func TestABundleOfThePublicGoodInstance(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	examples := filepath.Join(strings.TrimSpace(string(out)), "examples")
	signed, err := os.ReadFile(filepath.Join(examples, "bundle-provenance.json"))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := os.ReadFile(filepath.Join(examples, "trusted-root-public-good.json"))
	if err != nil {
		t.Fatal(err)
	}
	// It is provenance of an npm package, whose subject has a SHA-512: what
	// Check refuses for this alone. Everything before it is right.
	pin := []Pin{{"https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main", issuer}}
	_, err = Check(signed, trusted, strings.Repeat("ab", 32), pin)
	if err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("%v", err)
	}
	pin[0].Identity += "2"
	if _, err = Check(signed, trusted, strings.Repeat("ab", 32), pin); err == nil {
		t.Error("another identity")
	}
}

func TestTheCommand(t *testing.T) {
	v, trusted := sigstore(t)
	digest := strings.Repeat("ab", 32)
	dir := t.TempDir()
	for name, data := range map[string][]byte{"bundle": attest(t, v, statement(digest)), "root": trusted} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, r := filepath.Join(dir, "bundle"), filepath.Join(dir, "root")
	var stdout, stderr bytes.Buffer
	if code := run([]string{b, r, digest, identity, issuer}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), `"identity":"`+identity) {
		t.Errorf("%d\n%s%s", code, &stdout, &stderr)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{nil, 2}, {[]string{b, r, digest, identity}, 2}, {[]string{b, r, digest, identity, issuer, "x"}, 2},
		{[]string{b, r, digest, "x", issuer}, 1}, {[]string{"none", r, digest, identity, issuer}, 1}, {[]string{b, "none", digest, identity, issuer}, 1},
	} {
		stdout.Reset()
		if code := run(c.args, &stdout, &stderr); code != c.code || stdout.Len() != 0 {
			t.Errorf("%q: %d, %s", c.args, code, &stdout)
		}
	}
}
