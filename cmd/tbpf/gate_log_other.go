//go:build !linux

package main

import "github.com/trustedbpf/tbpf/internal/report"

func gateLog(*app, *report.GateLog, bool) error { return errOnlyLinux }

func gateLearn(*report.GateLearn) error { return errOnlyLinux }
