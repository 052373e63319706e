// Command kerneltypes prints the BTF of a kernel that scripts/fetch-kernels
// fetched.
//
//	go run ./internal/corpus/cmd/kerneltypes 7.3 >types
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/trustedbpf/tbpf/internal/corpus"
	"github.com/trustedbpf/tbpf/internal/vmtest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kerneltypes KERNEL")
		os.Exit(2)
	}
	types, err := corpus.KernelTypes(context.Background(), vmtest.Kernel(os.Args[1]))
	if err == nil {
		_, err = os.Stdout.Write(types)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kerneltypes:", err)
		os.Exit(1)
	}
}
