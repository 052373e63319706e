//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/notify"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/loader"
)

// bootDir is the machine's boot set.
const bootDir = "/etc/tbpf/boot.d"

// readTime is how long policy, keyring and boot set may take to be read. It
// ends a run that another one keeps out, too.
const readTime = 45 * time.Second

// boot loads a boot set. Whatever goes wrong before its first object is a
// failure of all of it.
func boot(dir string, stdout, stderr io.Writer) int {
	manager, err := notify.To(os.Getenv(notify.Variable))
	if err != nil {
		complain(stderr, err)
		return bootset.ExitFailed
	}
	watchdog := time.AfterFunc(readTime, func() {
		const late = "the machine's policy, keyring and boot set were not read in time"
		fmt.Fprintln(stderr, "tbpf-loader: error: "+late)
		if err := manager.Status("nothing was loaded: " + late); err != nil {
			complain(stderr, err)
		}
		os.Exit(bootset.ExitFailed)
	})
	system, set, err := prepare(dir)
	watchdog.Stop()
	if err != nil {
		code := complain(stderr, err)
		if err := manager.Status("nothing was loaded: " + report.Text(err.Error())); err != nil {
			complain(stderr, err)
		}
		return bootCode(code)
	}
	limits := system.Policy().Boot
	machine := system.Machine(limits.Timeout)
	gateless, err := raiseGate(system, stdout, stderr)
	if err != nil {
		complain(stderr, err)
		if err := manager.Status("nothing was loaded: " + report.Text(err.Error())); err != nil {
			complain(stderr, err)
		}
		return bootset.ExitFailed
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		complain(stderr, err)
		return bootset.ExitFailed
	}
	outcome := bootset.Run(set, unix.ByteSliceToString(name.Release[:]), limits, machine)
	tell(outcome, stdout, stderr)
	code := outcome.ExitCode()
	if code == 0 && gateless {
		code = bootset.ExitOptionalFailed
	}
	if outcome.Ready() {
		err = manager.Ready(outcome.Summary())
	} else {
		err = manager.Status(outcome.Summary())
	}
	if err == nil && dir == bootDir && outcome.GoesOn(limits.Stop) {
		err = system.LetBootGoOn(outcome.Summary())
	}
	if err != nil {
		// Who waits for readiness would wait for ever.
		complain(stderr, err)
		code = bootset.ExitFailed
	}
	return code
}

// raiseGate has the gate armed before anything else is loaded, where the policy
// asks for one. It reports true where there is none, and the policy goes on
// without.
func raiseGate(system *trusted.System, stdout, stderr io.Writer) (gateless bool, err error) {
	mode, err := system.Gate()
	switch {
	case err != nil && system.Policy().Gate.OnFailure == policy.GateContinue:
		complain(stderr, err)
		return true, nil
	case err != nil:
		return false, err
	case mode != gate.NotArmed:
		fmt.Fprintf(stdout, "the gate is on: %v\n", mode)
	}
	return false, nil
}

// bootCode is the exit code of a set that was not begun. That there is no
// policy has one of its own.
func bootCode(code int) int {
	const noPolicy, rollback = 16, 15
	if code == noPolicy || code == rollback {
		return code
	}
	return bootset.ExitFailed
}

// prepare reads what the machine trusts, and the set. No directory is a machine
// without a boot set.
func prepare(dir string) (*trusted.System, []*bootset.Entry, error) {
	system, err := trusted.Open()
	if err != nil {
		return nil, nil, err
	}
	if dir == bootDir {
		if err := system.HoldBoot(); err != nil {
			return nil, nil, errors.Join(err, system.Close())
		}
	}
	d, err := trustpath.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) && dir == bootDir {
		return system, nil, nil
	}
	if err != nil {
		return nil, nil, errors.Join(err, system.Close())
	}
	set, err := bootset.Read(d)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, nil, errors.Join(err, system.Close())
	}
	return system, set, nil
}

// tell prints what became of each object.
func tell(o *bootset.Outcome, stdout, stderr io.Writer) {
	for _, r := range o.Results {
		line := fmt.Sprintf("%s: %s: %v", r.Entry.Source, r.Entry.Name, r.State)
		switch {
		case r.Down:
			line += ", and taken down again"
		case r.State == bootset.Failed:
			line += fmt.Sprintf(" (%v)", r.Entry.Importance)
		}
		fmt.Fprintln(stdout, report.Text(line))
		if r.Err != nil {
			complain(stderr, fmt.Errorf("%s: %w", r.Entry.Source, r.Err))
			verifierLog(stderr, r.Err)
		}
	}
	fmt.Fprintln(stdout, o.Summary())
}

// logLines is how much of a verifier's log is printed: its end says why.
const logLines = 20

// verifierLog prints the end of what the BPF verifier said.
func verifierLog(stderr io.Writer, err error) {
	failed, ok := errors.AsType[*loader.Error](err)
	if !ok {
		return
	}
	for _, line := range lastLines(string(failed.Log), logLines) {
		fmt.Fprintln(stderr, "  "+report.Text(line))
	}
}
