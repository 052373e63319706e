package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/keys/signer"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

func TestOutcomesAreThoseOfTheErrors(t *testing.T) {
	for _, c := range []struct {
		err     error
		verdict report.Verdict
		reason  string
		code    int
	}{
		{nil, report.Done, "", 0},
		{errors.New("x"), report.Failed, "", 1},
		{&verify.Error{Reason: verify.NoSeal}, "unsigned", "no-seal", 10},
		{forFile("f", &verify.Error{Reason: verify.WrongSignature}), "bad-signature", "wrong-signature", 11},
		{forFile("f", &verify.Error{Reason: verify.TooFewSignatures}), "threshold", "too-few-signatures", 17},
		{&verify.Error{Reason: "a reason that nobody knows"}, report.Failed, "a reason that nobody knows", 1},
		{&policyError{"token-required", "x"}, "policy", "token-required", 16},
	} {
		got := outcome(c.err, report.Done)
		if got.Verdict != c.verdict || got.Reason != c.reason || got.Code != c.code {
			t.Errorf("outcome(%v) = %+v", c.err, got)
		}
	}
}

func TestTheFirstFailureGivesTheExitCode(t *testing.T) {
	bad, unsigned := &verify.Error{Reason: verify.WrongSignature}, &verify.Error{Reason: verify.NoSeal}
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.Join(nil, nil), 0},
		{errors.Join(nil, bad, unsigned), 11},
		{errors.Join(errors.Join(unsigned), bad), 10},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.code)
		}
	}
}

func TestMessagesAreOneLine(t *testing.T) {
	var out bytes.Buffer
	a := &app{stderr: &out}
	a.printError(forFile("a\nb\x1b[1m", errors.New("two\nlines")), "a\nhint")
	want := "tbpf: error: \"a\\nb\\x1b[1m\": two\\nlines\ntbpf: hint: a\\nhint\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestTheEndOfTheVerifiersLogIsPrinted(t *testing.T) {
	var log strings.Builder
	for i := range 100 {
		fmt.Fprintf(&log, "line %d\x1b[1m\n", i)
	}
	var out bytes.Buffer
	a := &app{stderr: &out}
	a.printLog(forFile("f", &loader.Error{Log: []byte(log.String())}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != logLines || lines[0] != `tbpf: log: line 80\x1b[1m` || lines[logLines-1] != `tbpf: log: line 99\x1b[1m` {
		t.Errorf("printed %q", lines)
	}
	out.Reset()
	a.json = true
	a.printLog(&loader.Error{Log: []byte("x")})
	a.json = false
	a.printLog(errors.New("x"))
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

func TestHintsComeFromTheErrorThatKnows(t *testing.T) {
	for _, c := range []struct {
		err  error
		hint string
	}{
		{errors.New("x"), ""},
		{forFile("f", fs.ErrExist), "--force replaces it"},
		{withHint(forFile("f", fs.ErrExist), "choose another"), "choose another"},
		{forFile("f", &verify.Error{Hint: "v"}), "v"},
		{forFile("f", &loader.Error{Hint: "l"}), "l"},
		{&signer.Error{Hint: "k"}, "k"},
		{&signer.Error{Hint: "k", Err: noTerminal()}, "set TBPF_PASSWORD or give --password-file"},
	} {
		if got := hint(c.err); got != c.hint {
			t.Errorf("hint(%v) = %q, want %q", c.err, got, c.hint)
		}
	}
}

// TestAPanicIsAnErrorAndNotAUsageError: Go's runtime would print a stack trace
// and exit with 2.
func TestAPanicIsAnErrorAndNotAUsageError(t *testing.T) {
	var out bytes.Buffer
	a := newApp()
	a.stderr = &out
	code := func() (code int) {
		defer a.recovered(&code)
		return exitCode(a.run(func(*cobra.Command, []string) (report.Document, error) { panic("boom\nboom") })(&cobra.Command{}, nil))
	}()
	if code != 1 || !strings.HasPrefix(out.String(), `tbpf: error: internal error: boom\nboom`+"\n") {
		t.Errorf("code %d, printed %q", code, out.String())
	}
}

// A command line that begins with a command gets that one alone, under the name
// that it is looked up by.
func TestEachCommandIsMadeAlone(t *testing.T) {
	for _, m := range commands() {
		made := newRoot(newApp(), []string{m.name, "file"}).Commands()
		if len(made) != 1 || made[0].Name() != m.name {
			t.Errorf("%s: %v", m.name, made)
		}
	}
	for _, args := range [][]string{nil, {"help"}, {"--json", "load"}, {"lod"}, {"__complete", ""}} {
		if n := len(newRoot(newApp(), args).Commands()); n < len(commands()) {
			t.Errorf("%q: %d commands", args, n)
		}
	}
}
