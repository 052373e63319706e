package loader

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/loadctx"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestRefusalsNameWhatFailed(t *testing.T) {
	m := &manifest.Manifest{
		Maps:     []manifest.Map{{Name: "counts"}},
		Programs: []manifest.Program{{Name: "guard", AttachTarget: "file_open"}},
		Symbols:  []manifest.Symbol{{Name: "bpf_path_d_path"}},
	}
	for _, c := range []struct {
		stage   loadctx.Stage
		errno   unix.Errno
		verdict Verdict
		reason  string
		text    string
	}{
		{loadctx.StageSelfCheck, unix.EKEYREJECTED, KernelRefused, "metadata-rejected", "not what was signed"},
		{loadctx.StageLatch, unix.EALREADY, Failed, "load-failed", "latch"},
		{loadctx.StageInput, unix.EINVAL, Failed, "attach-target", `"guard"`},
		{loadctx.StageBTF, unix.EPERM, Permission, "not-permitted", "BTF"},
		{loadctx.StageBTF, unix.EINVAL, VerifierRefused, "types-refused", "BTF"},
		{loadctx.StageMap, unix.EPERM, Permission, "not-permitted", `map "counts"`},
		{loadctx.StageMap, unix.EINVAL, Unsupported, "map-unsupported", `map "counts"`},
		{loadctx.StageMap, unix.ENOMEM, Failed, "out-of-memory", `map "counts"`},
		{loadctx.StageMap, unix.EMFILE, Failed, "too-many-files", `map "counts"`},
		{loadctx.StageMapInit, unix.E2BIG, Unsupported, "map-unsupported", `map contents "counts"`},
		{loadctx.StageTarget, unix.ENOENT, Unsupported, "attach-target-missing", `file_open of program "guard"`},
		{loadctx.StageTarget, unix.EPERM, Permission, "not-permitted", `"guard"`},
		{loadctx.StageSymbol, unix.ENOENT, Unsupported, "symbol-missing", `kernel symbol "bpf_path_d_path"`},
		{loadctx.StageSymbol, unix.EPERM, Permission, "not-permitted", `"bpf_path_d_path"`},
		{loadctx.StageProgram, unix.EACCES, VerifierRefused, "program-refused", `program "guard"`},
		{loadctx.StageProgram, unix.EINVAL, VerifierRefused, "program-refused", `program "guard"`},
		{loadctx.StageProgram, unix.EPERM, Permission, "not-permitted", `program "guard"`},
		{loadctx.StageProgram, unix.ENOMEM, Failed, "out-of-memory", `program "guard"`},
		{loadctx.StageProgram, unix.EAGAIN, Failed, "interrupted", `program "guard"`},
		{loadctx.StageProgram, errnoENOTSUPP, Unsupported, "program-unsupported", "errno 524"},
		{loadctx.StageAttach, unix.EBUSY, Failed, "attach-busy", `"guard"`},
		{loadctx.StageAttach, unix.EPERM, Permission, "not-permitted", `"guard"`},
		{loadctx.StageAttach, unix.EOPNOTSUPP, Unsupported, "attach-unsupported", `"guard"`},
		{loadctx.Stage(99), unix.EINVAL, Failed, "load-failed", "stage(99)"},
	} {
		r := &run{src: sealedBy(newMini()), manifest: m}
		e := mustRefuse(t, r.refusal(&kernelload.Error{Step: kernelload.StepInside, Stage: c.stage, Errno: c.errno}), c.verdict, c.reason)
		if !strings.Contains(e.Error(), c.text) || !errors.Is(e, syscall.Errno(c.errno)) {
			t.Errorf("%v, %v: %q does not say %q", c.stage, c.errno, e.Error(), c.text)
		}
	}
	// A loader program that names something that is not there.
	for _, stage := range []loadctx.Stage{loadctx.StageMap, loadctx.StageProgram, loadctx.StageSymbol} {
		r := &run{src: sealedBy(newMini()), manifest: m}
		if e := asError(r.refusal(&kernelload.Error{Step: kernelload.StepInside, Stage: stage, Index: 1<<32 - 1, Errno: unix.EINVAL})); e.Name != "" {
			t.Errorf("%v: it names %q", stage, e.Name)
		}
	}
}

func TestLogsAreCutAtTheStart(t *testing.T) {
	line := bytes.Repeat([]byte("0123456789"), 10)
	line[len(line)-1] = '\n'
	log := append(bytes.Repeat(line, 2*MaxLog/len(line)), "the reason\n"...)
	got := tail(log)
	if len(got) > MaxLog || !bytes.HasSuffix(got, []byte("the reason\n")) || !bytes.HasPrefix(got, line) {
		t.Errorf("%d bytes, %q...", len(got), got[:20])
	}
	if got := tail([]byte("short")); string(got) != "short" {
		t.Errorf("%q", got)
	}
	if got := tail(make([]byte, 2*MaxLog)); len(got) != MaxLog {
		t.Errorf("%d bytes of one line", len(got))
	}
}

func TestErrorsTellAllThatFailedInOneLine(t *testing.T) {
	first := &Error{verdict: VerifierRefused, Reason: "program-refused", Stage: "program", Name: "x", text: "refused", Errno: unix.EACCES}
	e := asError(errors.Join(first, errors.New("one more")))
	if e.Verdict() != VerifierRefused || !strings.Contains(e.Error(), "one more") || strings.Contains(e.Error(), "\n") {
		t.Errorf("%q", e.Error())
	}
	if got := asError(first); got != first {
		t.Errorf("%v", got)
	}
	if got := asError(errors.New("anything")); got.Verdict() != Failed || got.ExitCode() != 1 {
		t.Errorf("%v", got)
	}
}

func TestExitCodes(t *testing.T) {
	for v, want := range map[Verdict]int{Failed: 1, KernelRefused: 20, VerifierRefused: 21, Permission: 22, Unsupported: 23, "": 1} {
		if got := v.ExitCode(); got != want {
			t.Errorf("%s: %d, want %d", v, got, want)
		}
	}
}
