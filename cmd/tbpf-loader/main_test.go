//go:build linux

package main

import (
	"strings"
	"testing"
)

// What is asked for is told apart, and what means nothing is refused by what is
// wrong with it.
func TestArguments(t *testing.T) {
	for args, want := range map[string]command{
		"boot":               {name: "boot", dir: bootDir},
		"boot --dir /x":      {name: "boot", dir: "/x"},
		"boot --dir=/x":      {name: "boot", dir: "/x"},
		"boot --help":        {name: "help"},
		"load a":             {name: "load", dir: bootDir},
		"load help":          {name: "load", dir: bootDir}, // a file
		"version":            {name: "version", dir: bootDir},
		"check":              {name: "check", dir: bootDir},
		"-h":                 {name: "help"},
		"help":               {name: "help"},
		"--help":             {name: "help"},
		"load --help --more": {name: "help"},
	} {
		c, err := parse(append([]string{"tbpf-loader"}, strings.Fields(args)...))
		if err != nil || c.name != want.name || c.dir != want.dir {
			t.Errorf("%s: %+v, %v", args, c, err)
		}
	}
	for args, want := range map[string]string{
		"":                 "no command is given",
		"start":            `there is no command "start"`,
		"boot now":         `boot takes nothing but --dir DIR, and not "now"`,
		"boot --dir":       "--dir names no directory",
		"boot --dir=":      "--dir names no directory",
		"boot --dir /x /y": `boot takes nothing but --dir DIR, and not "--dir"`,
		"load":             "load needs a file",
		"load --force a":   `load takes files and no flags, and not "--force"`,
		"version 2":        `version takes nothing, and not "2"`,
	} {
		_, err := parse(append([]string{"tbpf-loader"}, strings.Fields(args)...))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}
