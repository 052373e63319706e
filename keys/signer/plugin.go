package signer

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/keys"
)

// pluginPrefix begins the name of every program that holds keys for tbpf and
// for sigstore's tools.
const pluginPrefix = "sigstore-kms-"

// Bounds of a plugin's work.
const (
	pluginTime   = 2 * time.Minute
	pluginAnswer = 1 << 20 // bytes
	pluginText   = 400     // bytes of what it says went wrong
)

// plugin asks a program for signatures by sigstore's protocol for KMS plugins,
// version 1 (sigstore/sigstore v1.10.11, pkg/signature/kms/cliplugin): a JSON
// document as second argument, the message at standard input, a JSON document
// as answer. It is written down here once more because that package brings the
// whole of sigstore's dependencies into a program that holds keys.
//
// Nothing that a plugin says is believed: Signer.Sign checks each signature
// with the public key, and what that is the certificate decides.
type plugin struct {
	source  string // the reference, for messages
	program string
	key     string // keyResourceID
	public  crypto.PublicKey
}

// The protocol's documents, as far as they are used.
type pluginCall struct {
	Init struct {
		Protocol string      `json:"protocolVersion"`
		Key      string      `json:"keyResourceID"`
		Hash     crypto.Hash `json:"hashFunc"`
		RPC      struct{}    `json:"rpcOptions"`
	} `json:"initOptions"`
	Method    string           `json:"methodName"`
	PublicKey *pluginPublicKey `json:"publicKey,omitempty"`
	Sign      *pluginSign      `json:"signMessage,omitempty"`
}

type pluginPublicKey struct {
	Options struct {
		RPC struct{} `json:"rpcOptions"`
	} `json:"publicKeyOptions"`
}

type pluginSign struct {
	Options struct {
		RPC     struct{}      `json:"rpcOptions"`
		Message pluginMessage `json:"messageOptions"`
	} `json:"signOptions"`
}

type pluginMessage struct {
	Digest []byte       `json:"digest,omitempty"`
	Hash   *crypto.Hash `json:"hashFunc,omitempty"`
}

type pluginResult struct {
	Error     string `json:"errorMessage"`
	PublicKey *struct {
		PEM []byte `json:"publicKeyPEM"`
	} `json:"publicKey"`
	Sign *struct {
		Signature []byte `json:"signature"`
	} `json:"signMessage"`
}

// pluginOf tells a reference to a plugin's key: NAME://KEY is the key KEY of
// sigstore-kms-NAME, and a PKCS #11 URI (RFC 7512) one of sigstore-kms-pkcs11.
func pluginOf(ref string) (name, key string, ok bool) {
	if strings.HasPrefix(ref, "pkcs11:") {
		return "pkcs11", ref, true
	}
	name, key, ok = strings.Cut(ref, "://")
	return name, key, ok
}

// openPlugin finds the program and asks it for the public key.
func openPlugin(ref string) (*Signer, error) {
	name, key, _ := pluginOf(ref)
	p := &plugin{source: ref, key: key}
	if strings.Contains(ref, "pin-value") {
		// It stands in the arguments of this process already.
		p.source = name + ":"
		return nil, p.failed(ReasonReference, "it has a PIN in it", "use pin-source=file:/path, or the plugin's environment variable, and change the PIN")
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return nil, p.failed(ReasonReference, fmt.Sprintf("%q cannot be the name of a plugin", name), "give the path of a PEM file, or env://NAME")
		}
	}
	if name == "" || key == "" {
		return nil, p.failed(ReasonReference, "it names no key", "PLUGIN://KEY, such as awskms:///alias/release")
	}
	var err error
	if p.program, err = exec.LookPath(pluginPrefix + name); err != nil {
		return nil, p.failed(ReasonPlugin, fmt.Sprintf("there is no program %s%s in PATH", pluginPrefix, name), "install the plugin that holds keys of this kind, or give the path of a PEM file, or env://NAME")
	}
	var call pluginCall
	call.Method, call.PublicKey = "publicKey", &pluginPublicKey{}
	answer, err := p.ask(call, crypto.SHA256, nil)
	if err != nil {
		return nil, err
	}
	if answer.PublicKey == nil {
		return nil, p.failed(ReasonPlugin, "the plugin gave no public key", "")
	}
	if p.public, err = keys.ParsePublicPEM(answer.PublicKey.PEM); err != nil {
		return nil, p.failed(ReasonPlugin, fmt.Sprintf("the plugin's public key: %v", err), "")
	}
	s, err := New(p)
	if err != nil {
		return nil, p.failed(ReasonUnsupported, err.Error(), "")
	}
	return s, nil
}

func (p *plugin) failed(reason Reason, detail, hint string) *Error {
	return &Error{Source: p.source, Reason: reason, Detail: detail, Hint: hint}
}

// Public implements crypto.Signer.
func (p *plugin) Public() crypto.PublicKey { return p.public }

// Sign implements crypto.Signer.
func (p *plugin) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	var call pluginCall
	call.Method, call.Sign = "signMessage", &pluginSign{}
	var message []byte
	hash := opts.HashFunc()
	if hash == 0 {
		message = digest // Ed25519 takes the message itself
	} else {
		call.Sign.Options.Message = pluginMessage{Digest: digest, Hash: &hash}
	}
	answer, err := p.ask(call, hash, message)
	if err != nil {
		return nil, err
	}
	if answer.Sign == nil || len(answer.Sign.Signature) == 0 {
		return nil, p.failed(ReasonPlugin, "the plugin gave no signature", "")
	}
	return answer.Sign.Signature, nil
}

// ask runs the plugin once.
func (p *plugin) ask(call pluginCall, hash crypto.Hash, message []byte) (*pluginResult, error) {
	call.Init.Protocol, call.Init.Key, call.Init.Hash = "v1", p.key, hash
	args, err := json.Marshal(call)
	if err != nil {
		return nil, p.failed(ReasonPlugin, err.Error(), "")
	}
	ctx, cancel := context.WithTimeout(context.Background(), pluginTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.program, "v1", string(args))
	cmd.WaitDelay = time.Second
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TBPF_PASSWORD=") { // of another key
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Stdin = bytes.NewReader(message)
	out, said := &bounded{limit: pluginAnswer}, &bounded{limit: pluginText}
	cmd.Stdout, cmd.Stderr = out, said
	runErr := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, p.failed(ReasonPlugin, fmt.Sprintf("the plugin took longer than %v", pluginTime), "")
	case runErr != nil && !errors.As(runErr, &exit):
		return nil, p.failed(ReasonPlugin, fmt.Sprintf("the plugin cannot be run: %v", runErr), "")
	case out.over:
		return nil, p.failed(ReasonPlugin, "the plugin's answer is too long", "")
	}
	var answer pluginResult
	if err := json.Unmarshal(out.kept, &answer); err != nil {
		return nil, p.failed(ReasonPlugin, "the plugin gave no answer: "+firstLine(string(said.kept), runErr), "")
	}
	if answer.Error != "" {
		return nil, p.failed(ReasonPlugin, "the plugin: "+firstLine(answer.Error, nil), "")
	}
	if runErr != nil {
		return nil, p.failed(ReasonPlugin, "the plugin failed: "+firstLine(string(said.kept), runErr), "")
	}
	return &answer, nil
}

// bounded keeps the beginning of what is written to it. It takes the rest and
// forgets it: a plugin must not die of a pipe that is full.
type bounded struct {
	kept  []byte // not a bytes.Buffer: its ReadFrom would go round Write
	limit int
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := len(p)
	if rest := b.limit - len(b.kept); len(p) > rest {
		p, b.over = p[:rest], true
	}
	b.kept = append(b.kept, p...)
	return n, nil
}

// firstLine is the beginning of a text, or the error if there is none.
func firstLine(text string, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" && err != nil {
		line = err.Error()
	}
	return line[:min(len(line), pluginText)]
}
