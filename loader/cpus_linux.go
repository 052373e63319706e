package loader

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// possibleCPUsPath lists the CPUs that the machine can ever have. Tests put
// another file in its place.
const possibleCPUsPath = "/sys/devices/system/cpu/possible"

// maxCPUs is the most that Linux supports.
const maxCPUs = 8192

// cpusFor is the number of possible CPUs, if a map of the object is made for
// so many, and 0 otherwise.
func cpusFor(m *manifest.Manifest) (int32, error) {
	for i := range m.Maps {
		if !m.Maps[i].PerCPU {
			continue
		}
		b, err := os.ReadFile(possibleCPUsPath)
		if err == nil {
			var n int32
			if n, err = countCPUs(string(b)); err == nil {
				return n, nil
			}
		}
		return 0, failure("map", m.Maps[i].Name, "cpu-count", err)
	}
	return 0, nil
}

// countCPUs reads a list such as "0-3,8-11": it is one more than the last CPU,
// so that every CPU's number is an index.
func countCPUs(list string) (int32, error) {
	list = strings.TrimSuffix(list, "\n")
	_, last, found := cutLast(list, ",")
	if !found {
		last = list
	}
	if _, end, ok := strings.Cut(last, "-"); ok {
		last = end
	}
	n, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no list of CPUs", possibleCPUsPath, list)
	}
	if n >= maxCPUs {
		return 0, errors.New("more CPUs than Linux supports")
	}
	return int32(n) + 1, nil
}

// cutLast is strings.Cut around the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
