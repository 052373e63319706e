//go:build !linux

package main

import (
	"errors"

	"github.com/trustedbpf/tbpf/internal/report"
)

var errNoGate = errors.New("the gate is of Linux's")

func gateStatus(*report.Gate) error { return errNoGate }

func gateEnable(*report.Gate) error { return errNoGate }
