package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// validity is a flag like 90d, 10y or any duration of Go's.
type validity struct{ time.Duration }

// Type and String are what help shows.
func (v *validity) Type() string { return "DURATION" }

func (v *validity) String() string {
	if v.Duration == 0 {
		return ""
	}
	return v.Duration.String()
}

// Set parses the flag's value. A year has 365 days.
func (v *validity) Set(s string) error {
	const day = 24 * time.Hour
	var d time.Duration
	var err error
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(s, "y"):
		unit = 365 * day
	case strings.HasSuffix(s, "d"):
		unit = day
	}
	if unit == 0 {
		d, err = time.ParseDuration(s)
	} else {
		var n int64
		n, err = strconv.ParseInt(s[:len(s)-1], 10, 32)
		if n > int64(100*365*day/unit) {
			return errors.New("more than 100 years")
		}
		d = time.Duration(n) * unit
	}
	if err != nil {
		return errors.New("not a duration such as 90d, 10y or 36h")
	}
	if d <= 0 {
		return errors.New("it must be longer than nothing")
	}
	v.Duration = d
	return nil
}

// fixed completes a flag with the values that there are.
func fixed(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // a flag that this package does not have
	}
}
