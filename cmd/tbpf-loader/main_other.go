//go:build !linux

// Command tbpf-loader is the trusted loader. It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "tbpf-loader: error: BPF objects are loaded on Linux only")
	os.Exit(1)
}
