package main

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/report"
	"github.com/trustedbpf/tbpf/sign/skeleton"
)

// parseProfiles is the value of --profile; a list that was given and is empty
// would be a seal without loader programs.
func parseProfiles(names []string, given bool) ([]bpfabi.Profile, error) {
	if given && len(names) == 0 {
		return nil, usage(strings.Join(profileNames(), ", "), "--profile names no profile")
	}
	var list []bpfabi.Profile
	for _, name := range names {
		p, err := bpfabi.ParseProfile(name)
		if err != nil {
			return nil, usage("profiles are "+strings.Join(profileNames(), ", "), "--profile: %w", err)
		}
		if slices.Contains(list, p) {
			return nil, usage("", "--profile names %q twice", name)
		}
		list = append(list, p)
	}
	return list, nil
}

func parseTunables(declarations []string) ([]skeleton.Tunable, error) {
	var list []skeleton.Tunable
	for _, d := range declarations {
		t, err := skeleton.ParseTunable(d)
		if err != nil {
			return nil, usage("--tunable limit=1..100", "--tunable %w", err)
		}
		if slices.ContainsFunc(list, func(o skeleton.Tunable) bool { return o.Name == t.Name }) {
			return nil, usage("", "--tunable names %q twice", t.Name)
		}
		list = append(list, t)
	}
	return list, nil
}

// parseKeep is the value of --keep.
func parseKeep(names []string) ([]string, error) {
	list := slices.Sorted(slices.Values(names))
	for i, name := range list {
		switch {
		case name == "":
			return nil, usage("--keep counters", "--keep names no map")
		case i > 0 && name == list[i-1]:
			return nil, usage("", "--keep names %q twice", name)
		}
	}
	return list, nil
}

// parseModes is the value of --map-mode.
func parseModes(pairs []string) (map[string]string, error) {
	const example = "--map-mode counters=0644"
	modes, err := assignments("--map-mode", "MAP=MODE", example, pairs, false)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(modes)) {
		if err := manifest.CheckMode(modes[name]); err != nil {
			return nil, usage(example, "--map-mode %s: %w", report.Name(name), err)
		}
	}
	return modes, nil
}

// sourceDate is the time of signing: SOURCE_DATE_EPOCH if it is set
// (reproducible-builds.org), now otherwise.
func sourceDate(now time.Time) (time.Time, error) {
	value, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok || value == "" {
		return now.UTC().Truncate(time.Second), nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, usage("it is a number of seconds since 1970", "SOURCE_DATE_EPOCH is %q", value)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// parseTime reads a day, whose beginning in UTC it is, or a time.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage("2030-12-31, or 2030-12-31T12:00:00Z", "%q is no time", s)
}
