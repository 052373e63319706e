//go:build linux

// Command guest is the /init of virtual machine tests: it mounts what BPF
// needs, loads the modules of the plan, runs its steps one after the other,
// reports what they did and turns the machine off.
//
// Where another program is the first process, "guest steps" is a service of it
// and does the same, but for the mounts.
//
// Only vmtest builds it. It imports nothing of tbpf but vmtest/wire.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/vmtest/wire"
)

func main() {
	prepare := mountAll
	if os.Getpid() != 1 {
		if len(os.Args) != 2 || os.Args[1] != "steps" {
			fmt.Fprintln(os.Stderr, "guest: runs only as the first process of a virtual machine")
			os.Exit(2)
		}
		prepare = makeWorkDir
	}
	if err := work(prepare); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err) // the kernel's console
	}
	unix.Sync()
	// QEMU runs with -no-reboot: this ends it, and needs no ACPI.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func work(prepare func() error) error {
	if err := prepare(); err != nil {
		return err
	}
	setEnvironment()
	port, err := openPort(wire.ResultsPort)
	if err != nil {
		return err
	}
	defer port.close()
	if err := follow(port); err != nil {
		port.send(wire.Event{Failed: err.Error()})
		return err
	}
	port.send(wire.Event{Done: true})
	return port.err
}

// follow does what the plan says.
func follow(port *port) error {
	data, err := os.ReadFile(wire.PlanPath)
	if err != nil {
		return err
	}
	var plan wire.Plan
	if err := json.Unmarshal(data, &plan); err != nil {
		return fmt.Errorf("%s: %w", wire.PlanPath, err)
	}
	for _, name := range plan.Modules {
		if err := loadModule(name); err != nil {
			return err
		}
	}
	if err := linkUp("lo"); err != nil {
		return err
	}
	for i, step := range plan.Steps {
		port.send(wire.Event{Begin: &wire.Begin{Step: i}})
		port.send(wire.Event{Exit: run(port, i, step)})
	}
	return nil
}
