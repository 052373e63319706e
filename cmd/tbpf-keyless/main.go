// Command tbpf-keyless checks a sigstore bundle for `tbpf verify --bundle`: that
// the certificate is one of the pinned identity and issuer, by a CA of the
// trusted root; that the signature is right; that a transparency log of the
// trusted root has it, and when. It works offline.
//
// It is a program and a Go module of its own, because what checks bundles is ten
// times as large as tbpf. tbpf-loader never runs it.
//
//	tbpf-keyless BUNDLE TRUSTED-ROOT SHA256 (IDENTITY ISSUER)...
//
// SHA256 is the object's. An identity that ends in * stands for all that begin so.
// It prints one JSON document and exits 0, or an error and 1; 2 is a usage error.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// maxFile bounds bundle and trusted root, in bytes.
const maxFile = 16 << 20

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command, and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) < 5 || len(args)%2 == 0 {
		fmt.Fprintln(stderr, "usage: tbpf-keyless BUNDLE TRUSTED-ROOT SHA256 (IDENTITY ISSUER)...")
		return 2
	}
	found, err := checkFiles(args[0], args[1], args[2], args[3:])
	if err == nil {
		err = json.NewEncoder(stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(stderr, "tbpf-keyless: error:", err)
		return 1
	}
	return 0
}

func checkFiles(bundlePath, rootPath, digest string, pairs []string) (*Found, error) {
	signed, err := read(bundlePath)
	if err != nil {
		return nil, err
	}
	root, err := read(rootPath)
	if err != nil {
		return nil, err
	}
	var pinned []Pin
	for i := 0; i < len(pairs); i += 2 {
		pinned = append(pinned, Pin{Identity: pairs[i], Issuer: pairs[i+1]})
	}
	return Check(signed, root, digest, pinned)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return data, err
}
