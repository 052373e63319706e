package corpus

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

// Candidate is one object with what was made of it.
type Candidate struct {
	Object   []byte
	Sealed   []byte    // nil if sign refused it
	Without  []byte    // the same without optional programs; nil if it has none
	Skeleton *Skeleton // nil if bpftool refused it, or there is none for the kernel
	// SkeletonRefusal is what bpftool said.
	SkeletonRefusal string
}

// Machine is a kernel that tries objects.
type Machine struct {
	Kernel      vmtest.Kernel
	Guest       string // the static program of internal/corpus/guest
	Sealer      *Sealer
	BpftoolRoot string         // where bpftool is unpacked; empty: bare objects are not loaded
	Bpftool     *Bpftool       // who signed the skeletons; nil: there are none
	Timeout     time.Duration  // of a batch
	Progress    func(done int) // is told after each batch
}

// batchBytes is how much one machine is given: all of it is in its memory.
const batchBytes = 200 << 20

// Try boots the kernel, as often as it takes for so many objects at once, and
// returns an outcome for each candidate, and the kernel's release. A batch with
// which the machine goes down is in the error, and what is known of it among the
// outcomes.
func (m Machine) Try(ctx context.Context, candidates []*Candidate, most int) (release string, tried []Tried, err error) {
	for len(candidates) > 0 {
		n, size := 0, 0
		for n < min(most, len(candidates)) && (n == 0 || size < batchBytes) {
			size += len(candidates[n].Object) + len(candidates[n].Sealed) + len(candidates[n].Without)
			n++
		}
		booted, failed := m.boot(ctx, candidates[:n], &tried)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("objects from %d on: %w", len(tried)-n, failed))
		}
		if booted != "" {
			release = booted
		}
		if m.Progress != nil {
			m.Progress(len(tried))
		}
		candidates = candidates[n:]
	}
	return release, tried, err
}

// boot tries one batch and appends its outcomes.
func (m Machine) boot(ctx context.Context, batch []*Candidate, tried *[]Tried) (string, error) {
	machine := vmtest.Machine{
		Kernel: m.Kernel, Modules: m.Kernel.Conntrack(), Timeout: m.Timeout, Memory: 2048,
		Files: vmtest.Files{"/bin/guest": {Host: m.Guest}},
	}
	merged := make([]Tried, len(batch))
	defer func() { *tried = append(*tried, merged...) }()
	ways := []string{"sealed"}
	if err := m.addTasks(machine.Files, "sealed", m.Sealer.CertificateDER, batch); err != nil {
		return "", err
	}
	if m.Bpftool != nil {
		ways = append(ways, "skeletons")
		if err := m.addTasks(machine.Files, "skeletons", m.Bpftool.CertificateDER, batch); err != nil {
			return "", err
		}
	}
	if m.BpftoolRoot != "" {
		ways = append(ways, "bare")
		if err := m.addTasks(machine.Files, "bare", m.Sealer.CertificateDER, batch); err != nil {
			return "", err
		}
		if err := AddBpftool(machine.Files, m.BpftoolRoot); err != nil {
			return "", err
		}
	}
	for _, way := range ways {
		machine.Steps = append(machine.Steps, vmtest.Step{Args: []string{"guest", way, "corpus/" + way + ".json"}, Timeout: m.Timeout})
	}
	result, err := machine.Run(ctx)
	release := ""
	for i, step := range result.Steps {
		answer, parsed := ReadAnswer(bytes.NewReader(step.Stdout))
		for j, o := range answer.Tried {
			if j < len(merged) {
				merged[j].add(o.Outcome)
			}
			if j < len(merged) && ways[i] == "sealed" {
				merged[j].Identity = o.Identity
			}
		}
		if answer.Release != "" {
			release = answer.Release
		}
		switch {
		case err != nil:
			err = fmt.Errorf("%w; %s ended after %d of %d objects", err, ways[i], len(answer.Tried), len(batch))
		case parsed != nil:
			err = parsed
		case step.Code != 0 || len(answer.Tried) != len(batch):
			err = fmt.Errorf("kernel %s: %s ended with %d after %d of %d objects (timed out: %v): %s",
				m.Kernel, ways[i], step.Code, len(answer.Tried), len(batch), step.TimedOut, step.Stderr)
		}
	}
	for i, c := range batch {
		if c.SkeletonRefusal != "" {
			merged[i].Skeleton = c.SkeletonRefusal
		}
	}
	return release, err
}

// addTasks adds what one way of loading needs.
func (m Machine) addTasks(files vmtest.Files, way string, certificate []byte, batch []*Candidate) error {
	tasks := Tasks{Certificate: way + ".crt"}
	files["corpus/"+tasks.Certificate] = vmtest.File{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})}
	for i, c := range batch {
		task := Task{Object: strconv.Itoa(i) + ".o"}
		files["corpus/"+task.Object] = vmtest.File{Data: c.Object}
		if c.Sealed != nil {
			task.Sealed = strconv.Itoa(i) + ".tbpf"
			files["corpus/"+task.Sealed] = vmtest.File{Data: c.Sealed}
		}
		if c.Without != nil {
			task.Without = strconv.Itoa(i) + ".without"
			files["corpus/"+task.Without] = vmtest.File{Data: c.Without}
		}
		if c.Skeleton != nil {
			text, err := json.Marshal(c.Skeleton)
			if err != nil {
				return err
			}
			task.Skeleton = strconv.Itoa(i) + ".skeleton"
			files["corpus/"+task.Skeleton] = vmtest.File{Data: text}
		}
		tasks.Tasks = append(tasks.Tasks, task)
	}
	text, err := json.Marshal(&tasks)
	if err != nil {
		return err
	}
	files["corpus/"+way+".json"] = vmtest.File{Data: text}
	return nil
}
