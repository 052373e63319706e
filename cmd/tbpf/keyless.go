package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/verify"
)

// keylessProgram checks sigstore bundles. It is a program of its own, because
// what checks them is ten times as large as tbpf, and is looked for nowhere but
// beside tbpf.
const keylessProgram = "tbpf-keyless"

// keylessTime bounds one check. It is offline: a second is much.
const keylessTime = time.Minute

// keyless are the sigstore bundles that count as signatures.
type keyless struct {
	bundles []string
	root    string
}

func (k *keyless) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&k.bundles, "bundle", nil, "count the sigstore bundle in `FILE`, of an identity that the policy has; repeatable")
	cmd.Flags().StringVar(&k.root, "trusted-root", "", "what bundles are checked with: sigstore's trusted root, in `FILE`")
}

func (k *keyless) check(files []string) error {
	switch {
	case (len(k.bundles) == 0) != (k.root == ""):
		return usage("`cosign trusted-root create` and sigstore's TUF repository have trusted roots", "--bundle and --trusted-root go together")
	case len(k.bundles) > 0 && len(files) > 1:
		return usage("verify one file at a time", "--bundle belongs to one file, not to %d", len(files))
	}
	for _, path := range append(k.bundles, k.root) {
		if path == "-" {
			return usage("", "bundles and trusted root are files")
		}
	}
	return nil
}

// identities has the bundles checked: each must be of the object, and of an
// identity that the policy has.
func (k *keyless) identities(ctx context.Context, file, detached []byte, opt verify.Options) ([]verify.Identity, error) {
	if len(k.bundles) == 0 {
		return nil, nil
	}
	object := file
	if detached == nil {
		var err error
		if object, _, err = seal.Split(file); err != nil {
			return nil, framing(err)
		}
	}
	digest := sha256.Sum256(object)
	args := []string{"", k.root, hex.EncodeToString(digest[:])}
	if opt.Policy != nil {
		for _, id := range opt.Policy.Keyless {
			args = append(args, id.Pattern, id.Issuer)
		}
	}
	if len(args) == 3 {
		return nil, &verify.Error{Reason: verify.IdentityForbidden, Detail: "the policy has no identity that may sign without a key", Hint: "[[keyless]] in the file of --policy names identity and issuer"}
	}
	var found []verify.Identity
	for _, path := range k.bundles {
		args[0] = path
		id, err := checkBundle(ctx, args)
		if err != nil {
			return nil, forFile(path, err)
		}
		found = append(found, id)
	}
	return found, nil
}

// checkBundle runs the program. It gets no environment, and what it says is
// compared with the file and the policy afterwards.
func checkBundle(ctx context.Context, args []string) (verify.Identity, error) {
	own, err := os.Executable()
	if err != nil {
		return verify.Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, keylessTime)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(own), keylessProgram), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &stdout, &stderr
	err = cmd.Run()
	if errors.Is(err, fs.ErrNotExist) {
		return verify.Identity{}, withHint(fmt.Errorf("%s, which checks bundles, is not there", cmd.Path), "build it beside tbpf: make keyless")
	}
	if err != nil {
		text := strings.TrimPrefix(strings.TrimSpace(stderr.String()), keylessProgram+": error: ")
		if text == "" {
			text = err.Error()
		}
		return verify.Identity{}, &verify.Error{Reason: verify.WrongSignature, Detail: "the bundle is not one of this object by an identity that the policy has: " + report.Text(text), Err: err}
	}
	var answer struct{ Identity, Issuer, Statement string }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		return verify.Identity{}, fmt.Errorf("%s says nothing that makes sense: %w", keylessProgram, err)
	}
	return verify.Identity{Subject: answer.Identity, Issuer: answer.Issuer, Statement: answer.Statement}, nil
}
