package vmtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

// DefaultTimeout is for a boot and a few dozen loads on a slow machine.
const DefaultTimeout = 2 * time.Minute

// Machine is one boot of one kernel.
type Machine struct {
	Kernel  Kernel
	System  Userland // of which the machine boots systemd; none: there is nothing but Files
	Files   Files
	Initrd  string   // an initramfs that boots System and Files from the disk /dev/vda; none: they are the initramfs
	Modules []string // kernel modules to load, in order: "veth"
	Steps   []Step
	Append  string        // kernel parameters, added to those of vmtest
	Memory  int           // MiB, 0 = 1024
	CPUs    int           // 0 = 1
	UEFI    [][]byte      // certificates (DER) in the db of UEFI firmware; nil: it boots with a BIOS
	Timeout time.Duration // of boot and all steps together, 0 = DefaultTimeout
	// Begin and Output, if set, are told of steps that begin, and given what
	// they print as they print it.
	Begin  func(step int)
	Output func(step int, stderr bool, data []byte)
}

// Step is one program that the guest runs, in the directory of the relative
// Files.
type Step struct {
	Args    []string      // the first is the program, looked up in /bin and the working directory
	Env     []string      // added to PATH, HOME and TMPDIR
	Timeout time.Duration // whole seconds, 0 = one minute
}

// Result is what a machine did.
type Result struct {
	Steps   []StepResult // one for every step that was begun
	Console []byte       // the kernel's messages
}

// StepResult is what a step did.
type StepResult struct {
	Stdout, Stderr []byte
	Code           int    // exit code, 128+n after signal n, 127 if it was not started
	Error          string // why it was not started
	TimedOut       bool
	Ended          bool // false if the machine died first
	Duration       time.Duration
}

// Run boots the machine, runs its steps and waits for its end. The error says
// that the machine did not get to the end of its plan; what is known by then
// is in Result. Steps that fail are no error.
func (m Machine) Run(ctx context.Context) (*Result, error) {
	result := &Result{}
	qemu, err := findQEMU()
	if err != nil {
		return result, err
	}
	kernel, err := m.Kernel.dir()
	if err != nil {
		return result, err
	}
	// Not a test's own directory: the path of a Unix socket holds 107 bytes.
	dir, err := os.MkdirTemp("", "tbpf-vm")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(dir)
	if err := m.prepare(ctx, dir); err != nil {
		return result, fmt.Errorf("prepare initrd: %w", err)
	}

	firmware, err := m.firmware(dir)
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.timeout())
	defer cancel()
	link, err := listen(filepath.Join(dir, "results"))
	if err != nil {
		return result, err
	}
	defer link.close()
	console := filepath.Join(dir, "console")
	initrd, boot := filepath.Join(dir, "initrd"), "rdinit="+m.init()
	if m.Initrd != "" {
		initrd, boot = m.Initrd, "root=/dev/vda rw init="+m.init()
		firmware = append(firmware, "-drive", "file="+filepath.Join(dir, "disk")+",format=raw,if=virtio,cache=unsafe")
	}
	arguments := append(firmware, "-M", "q35", "-accel", "tcg", "-cpu", "max",
		"-smp", strconv.Itoa(max(m.CPUs, 1)), "-m", strconv.Itoa(orDefault(m.Memory, 1024)),
		"-nodefaults", "-display", "none", "-no-reboot",
		"-serial", "file:"+console, "-serial", "unix:"+link.path,
		"-kernel", filepath.Join(kernel, "vmlinuz"), "-initrd", initrd,
		// A panic ends QEMU at once. Without no_timer_check a boot on a busy
		// machine panics if the emulated timer is late.
		"-append", "console=ttyS0 panic=-1 quiet no_timer_check "+boot+" "+m.Append)
	cmd := exec.CommandContext(ctx, qemu, arguments...)
	output, err := os.Create(filepath.Join(dir, "qemu"))
	if err != nil {
		return result, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return result, fmt.Errorf("start QEMU: %w", err)
	}
	exited := make(chan error, 1)
	go func() {
		exited <- cmd.Wait()
		link.close() // ends receive, also where QEMU never connected
	}()
	received := link.receive(m, result)
	ended := <-exited
	result.Console, _ = os.ReadFile(console) // absent if QEMU did not start
	switch {
	case received == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, fmt.Errorf("kernel %s: no end after %v (%w)", m.Kernel, m.timeout(), ctx.Err())
	case ended != nil:
		said, _ := os.ReadFile(output.Name())
		return result, fmt.Errorf("QEMU: %w: %s", ended, said)
	}
	return result, fmt.Errorf("kernel %s: %w", m.Kernel, received)
}

func (m Machine) timeout() time.Duration {
	if m.Timeout == 0 {
		return DefaultTimeout
	}
	return m.Timeout
}

// init is the first process.
func (m Machine) init() string {
	if m.System != "" {
		return "/usr/lib/systemd/systemd"
	}
	return "/init"
}

// prepare writes the initrd, or the disk: the system, the machine's files, modules and plan,
// and the guest.
func (m Machine) prepare(ctx context.Context, dir string) error {
	files, guest := Files{}, "/init"
	if m.System != "" {
		var err error
		if files, err = m.System.files(); err != nil {
			return err
		}
		guest = stepsProgram
	}
	for name, file := range m.Files {
		files[name] = file
	}
	var plan wire.Plan
	for _, name := range m.Modules {
		host, err := m.Kernel.module(name)
		if err != nil {
			return err
		}
		files[wire.ModuleDir+"/"+filepath.Base(host)] = File{Host: host}
		plan.Modules = append(plan.Modules, filepath.Base(host))
	}
	for _, step := range m.Steps {
		seconds := orDefault(int(step.Timeout/time.Second), 60)
		plan.Steps = append(plan.Steps, wire.Step{Args: step.Args, Env: step.Env, Seconds: seconds})
	}
	data, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	files[wire.PlanPath] = File{Data: data}
	if err := m.Kernel.addConfig(files); err != nil {
		return err
	}
	built := filepath.Join(dir, "guest")
	if err := Build(ctx, built, "github.com/trustedbpf/tbpf/internal/vmtest/guest"); err != nil {
		return err
	}
	files[guest] = File{Host: built}
	if m.Initrd != "" {
		return m.writeDisk(ctx, dir, files)
	}
	initrd, err := os.Create(filepath.Join(dir, "initrd"))
	if err != nil {
		return err
	}
	if err := writeInitrd(initrd, files); err != nil {
		initrd.Close()
		return err
	}
	return initrd.Close()
}

func orDefault(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}
