//go:build linux

// Command guest loads the objects of package corpus on a kernel that is there
// for nothing else:
//
//	guest sealed TASKS     each as tbpf sealed it
//	guest bare TASKS       each bare, by cilium/ebpf and, what that does not load, by libbpf
//	guest skeletons TASKS  each by the loader that bpftool signed
//
// It reads the tasks of the file that its argument names and prints the release
// of the kernel and an outcome for each task, as JSON.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/corpus"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "corpus guest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: guest sealed|bare|skeletons TASKS")
	}
	raw, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	var tasks corpus.Tasks
	if err := json.Unmarshal(raw, &tasks); err != nil {
		return err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	dir := filepath.Dir(args[1])
	var try loadFunc
	switch args[0] {
	case "sealed":
		try, err = sealedLoader(dir, tasks.Certificate)
	case "bare":
		try, err = bareLoader(dir)
	case "skeletons":
		try, err = skeletonLoader(dir, tasks.Certificate)
	default:
		err = fmt.Errorf("no way to load is called %q", args[0])
	}
	if err != nil {
		return err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	answer := json.NewEncoder(os.Stdout)
	if err := answer.Encode(unix.ByteSliceToString(name.Release[:])); err != nil {
		return err
	}
	for _, task := range tasks.Tasks {
		tried, err := try(task)
		if err != nil {
			return fmt.Errorf("%s: %w", task.Object, err)
		}
		if err := answer.Encode(tried); err != nil {
			return err
		}
	}
	return nil
}

// loadFunc loads one object in one of the ways.
type loadFunc func(corpus.Task) (corpus.Tried, error)

// short is the first line of an error, without a verifier's log.
func short(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if len(line) > 200 {
		line = line[:200] + "..."
	}
	return line
}
