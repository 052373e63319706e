package bootset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkRelease takes a kernel release of two or three numbers.
func checkRelease(s string) error {
	parts := strings.Split(s, ".")
	ok := len(parts) == 2 || len(parts) == 3
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		ok = ok && err == nil && strconv.FormatUint(n, 10) == part
	}
	if !ok {
		return fmt.Errorf("%.40q is not a kernel release such as 6.12", s)
	}
	return nil
}

// numbers reads the numbers that a release begins with: 6, 12 and 107 of
// "6.12.107+deb13".
func numbers(release string) []int {
	var out []int
	for len(out) < 3 {
		end := 0
		for end < len(release) && release[end] >= '0' && release[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(release[:end])
		if err != nil {
			break
		}
		out = append(out, n)
		if end == len(release) || release[end] != '.' {
			break
		}
		release = release[end+1:]
	}
	return out
}

// above reports whether a release is above a limit. A limit of two numbers
// includes every third.
func above(release, limit string) bool {
	have, most := numbers(release), numbers(limit)
	return slices.Compare(have[:min(len(have), len(most))], most) > 0
}

// below reports whether a release is below a limit.
func below(release, limit string) bool {
	have, least := numbers(release), numbers(limit)
	return slices.Compare(have[:min(len(have), len(least))], least) < 0
}

// For reports whether the object is for a kernel of this release. A release
// that is none is a kernel which no limit includes.
func (e *Entry) For(release string) bool {
	switch {
	case e.KernelMin == "" && e.KernelMax == "":
		return true
	case len(numbers(release)) < 2:
		return false
	}
	return (e.KernelMin == "" || !below(release, e.KernelMin)) && (e.KernelMax == "" || !above(release, e.KernelMax))
}
