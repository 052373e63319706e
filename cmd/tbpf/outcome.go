package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/doctor"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// outcome is what a document says of one file: good if err is nil.
func outcome(err error, good report.Verdict) report.Outcome {
	if err == nil {
		return report.Outcome{Verdict: good}
	}
	out := report.Outcome{Verdict: report.Failed, Error: report.Text(err.Error()), Code: 1}
	var refused *verify.Error
	var notLoaded *loader.Error
	var rule *policyError
	var notOn *gate.Error
	var namesake *namesakeError
	var damaged *floor.Error
	var unfit *doctor.Error
	switch {
	case errors.As(err, &unfit):
		out.Verdict, out.Reason, out.Code = report.Verdict(unfit.Reason), unfit.Reason, unfit.Code
	case errors.As(err, &refused):
		out.Verdict, out.Reason, out.Code = report.Verdict(refused.Verdict()), string(refused.Reason), refused.ExitCode()
	case errors.As(err, &notLoaded):
		out.Verdict, out.Reason, out.Code = report.Verdict(notLoaded.Verdict()), notLoaded.Reason, notLoaded.ExitCode()
	case errors.As(err, &namesake):
		out.Reason = "same-name"
	case errors.As(err, &damaged):
		out.Verdict, out.Reason, out.Code = "rollback", "floor-damaged", 15
	case errors.As(err, &notOn):
		out.Verdict, out.Reason, out.Code = "gate", notOn.Reason, notOn.ExitCode()
	case errors.As(err, &rule):
		out.Verdict, out.Reason, out.Code = "policy", rule.reason, 16
	}
	return out
}

// policyError is a flag that asks for less than the machine's policy.
type policyError struct {
	reason string // stable, kebab-case
	text   string
}

func (e *policyError) Error() string { return e.text }

// exitCode is the code of the first error in the order of the files.
func exitCode(err error) int {
	list := flatten(err)
	if len(list) == 0 {
		return 0
	}
	return outcome(list[0], report.Done).Code
}

// framing gives an error of package seal the verdict that verify would give.
func framing(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, seal.ErrUnsigned):
		return &verify.Error{Reason: verify.NoSeal, Detail: "it has no seal, or it is cut short", Err: err}
	default:
		return &verify.Error{Reason: verify.MalformedSeal, Detail: err.Error(), Err: err}
	}
}
