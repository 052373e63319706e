//go:build vmguest

package guesttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"

	"github.com/trustedbpf/tbpf/loader"
)

// pinDir is where fixtures are pinned.
const pinDir = "/sys/fs/bpf/tbpf"

// answer is what a command of tbpf left behind.
type answer struct {
	code   int
	stdout []byte
	stderr string
}

// tbpf runs the command line as a user does.
func tbpf(args ...string) (answer, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/bin/tbpf", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		return answer{}, err
	}
	return answer{cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.String()}, nil
}

// loadResult is one entry of load --json.
type loadResult struct {
	Verdict  string `json:"verdict"`
	ExitCode int    `json:"exitCode"`
	Reason   string `json:"reason"`
	Error    string `json:"error"`
	loader.Report
	answer
}

// load runs "tbpf load --json" on one sealed file. The error says that there
// is no answer; what the answer is, is for the test to judge.
func load(path string, args ...string) (loadResult, error) {
	a, err := tbpf(append([]string{"load", path, "--json", "--keyring", "keys/suite.crt"}, args...)...)
	if err != nil {
		return loadResult{}, err
	}
	var document struct {
		SchemaVersion int          `json:"schemaVersion"`
		Results       []loadResult `json:"results"`
	}
	if err := json.Unmarshal(a.stdout, &document); err != nil {
		return loadResult{}, fmt.Errorf("load --json: %w\n%v", err, a)
	}
	if document.SchemaVersion != 1 || len(document.Results) != 1 {
		return loadResult{}, fmt.Errorf("load --json: not one result\n%v", a)
	}
	result := document.Results[0]
	result.answer = a
	return result, nil
}

// check returns an error unless the object was loaded in the way that is right
// for the kernel.
func (r loadResult) check(kernel string) error {
	if r.code != 0 || r.Verdict != "loaded" {
		return fmt.Errorf("not loaded: %v", r.answer)
	}
	profile, signed := profiles[kernel]
	want := "unsigned"
	if signed {
		want = profile.String()
	}
	if r.Profile != want || r.KernelVerified != signed {
		return fmt.Errorf("profile %s, kernel verified %v; want %s, %v", r.Profile, r.KernelVerified, want, signed)
	}
	return nil
}

// String is for failures.
func (a answer) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", a.code, a.stdout, a.stderr)
}
