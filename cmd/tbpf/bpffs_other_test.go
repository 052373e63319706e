//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func mountBPFFS(ts *testscript.TestScript, _ bool, _ []string) { ts.Fatalf("there is no bpffs here") }
