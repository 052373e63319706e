// Command libload loads an object with cilium/ebpf, as a program that uses it
// does, and pins every program and map under a directory.
//
//	libload OBJECT DIR
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "libload:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: libload OBJECT DIR")
	}
	object, dir := args[0], args[1]
	collection, err := ebpf.LoadCollection(object)
	if err != nil {
		return err
	}
	defer collection.Close()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, p := range collection.Programs {
		if err := p.Pin(pinPath(dir, name)); err != nil {
			return err
		}
	}
	for name, m := range collection.Maps {
		if err := m.Pin(pinPath(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// pinPath has no dot but what stands before dir: a bpffs takes none.
func pinPath(dir, name string) string { return filepath.Join(dir, strings.ReplaceAll(name, ".", "_")) }
