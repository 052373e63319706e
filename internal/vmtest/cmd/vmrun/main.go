// Command vmrun runs static binaries on Debian kernels in QEMU.
//
//	go run ./internal/vmtest/cmd/vmrun -kernel 6.18,7.3 -- ./tbpf load guard.tbpf --keyring keys
//
// Arguments that name files or directories of the host by a relative path are
// copied to the guest, where they have the same relative path. Further
// commands follow after another "--"; all of them run in one boot. vmrun exits
// with the first exit code that is not 0.
package main

import (
	"context"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/trustedbpf/tbpf/internal/vmtest"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmrun:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// list is a flag that can be given several times.
type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

func run(args []string) (int, error) {
	flags := flag.NewFlagSet("vmrun", flag.ContinueOnError)
	kernels := flags.String("kernel", "7.3", "kernels, separated by commas, or all")
	timeout := flags.Duration("timeout", 2*time.Minute, "for boot and commands")
	console := flags.Bool("console", false, "print the kernel's messages at the end")
	appended := flags.String("append", "", "kernel parameters")
	memory := flags.Int("memory", 1024, "MiB")
	cpus := flags.Int("cpus", 1, "number of CPUs")
	var files, modules, env, enrolled list
	flags.Var(&files, "file", "GUEST=HOST, a file or directory to copy (repeatable)")
	flags.Var(&modules, "module", "kernel module to load (repeatable)")
	flags.Var(&enrolled, "uefi", "boot with UEFI firmware that has this PEM certificate in its db (repeatable)")
	flags.Var(&env, "env", "NAME=VALUE for the commands (repeatable)")
	if err := flags.Parse(args); err != nil {
		return 2, nil // flag has printed why
	}
	machine := vmtest.Machine{Files: vmtest.Files{}, Modules: modules, Append: *appended,
		Memory: *memory, CPUs: *cpus, Timeout: *timeout, Output: print}
	for _, command := range split(flags.Args()) {
		if err := addArguments(machine.Files, command); err != nil {
			return 1, err
		}
		machine.Steps = append(machine.Steps, vmtest.Step{Args: command, Env: env, Timeout: *timeout})
	}
	machine.Begin = func(step int) {
		fmt.Fprintln(os.Stderr, "$", strings.Join(machine.Steps[step].Args, " "))
	}
	if len(machine.Steps) == 0 {
		return 2, fmt.Errorf("no command, want vmrun -kernel 7.3 -- COMMAND [ARGUMENT]")
	}
	for _, file := range files {
		guest, host, ok := strings.Cut(file, "=")
		if !ok {
			return 2, fmt.Errorf("-file %s: want GUEST=HOST", file)
		}
		if err := machine.Files.AddTree(guest, host); err != nil {
			return 1, err
		}
	}
	for _, path := range enrolled {
		data, err := os.ReadFile(path)
		if err != nil {
			return 1, err
		}
		block, _ := pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" {
			return 2, fmt.Errorf("-uefi %s: no PEM certificate", path)
		}
		machine.UEFI = append(machine.UEFI, block.Bytes)
	}
	wanted := strings.Split(*kernels, ",")
	if *kernels == "all" {
		wanted = nil
		for _, kernel := range vmtest.Kernels() {
			wanted = append(wanted, string(kernel))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	first := 0
	for _, kernel := range wanted {
		machine.Kernel = vmtest.Kernel(kernel)
		code, err := boot(ctx, machine, *console)
		if err != nil {
			return 1, err
		}
		if first == 0 {
			first = code
		}
	}
	return first, nil
}

// boot runs one machine and returns the first exit code that is not 0.
func boot(ctx context.Context, machine vmtest.Machine, console bool) (int, error) {
	fmt.Fprintf(os.Stderr, "== kernel %s\n", machine.Kernel)
	result, err := machine.Run(ctx)
	if console || err != nil {
		os.Stderr.Write(result.Console)
	}
	if err != nil {
		return 1, err
	}
	first := 0
	for i, step := range result.Steps {
		note := ""
		if step.TimedOut {
			note = " (timed out)"
		}
		if step.Code != 0 || len(result.Steps) == 1 {
			fmt.Fprintf(os.Stderr, "== %s: exit %d%s after %v %s\n", machine.Steps[i].Args[0], step.Code, note, step.Duration, step.Error)
		}
		if first == 0 {
			first = step.Code
		}
	}
	return first, nil
}

func print(_ int, stderr bool, data []byte) {
	if stderr {
		os.Stderr.Write(data)
	} else {
		os.Stdout.Write(data)
	}
}

// split cuts the arguments into commands at each "--".
func split(args []string) [][]string {
	var commands [][]string
	var current []string
	for _, arg := range append(args, "--") {
		if arg != "--" {
			current = append(current, arg)
		} else if len(current) > 0 {
			commands = append(commands, current)
			current = nil
		}
	}
	return commands
}

// addArguments copies what relative arguments of a command name.
func addArguments(files vmtest.Files, command []string) error {
	for _, arg := range command {
		if !filepath.IsLocal(arg) || arg == "." {
			continue
		}
		if _, err := os.Stat(arg); err != nil {
			continue // a word, not a file
		}
		if err := files.AddTree(arg, arg); err != nil {
			return err
		}
	}
	return nil
}
