package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of names and texts, in bytes.
const (
	maxName       = 255  // NAME_MAX: of what may become a pin
	maxObjectName = 128  // of the name of a whole object
	maxTarget     = 1024 // of sections, attach targets and C types
	maxLicense    = 127  // the kernel's buffer has 128 (kernel/bpf/syscall.c, bpf_prog_load)
	maxKernelName = 15   // BPF_OBJ_NAME_LEN - 1
)

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"

	hexDigits = digits + "abcdef"
)

// CheckName takes what policy, rollback state and pin directories call
// an object: a word that is one path element everywhere.
func CheckName(s string) error {
	if err := checkWord("name", s, lower+upper+digits+"._+@-", maxObjectName); err != nil {
		return err
	}
	if !strings.ContainsAny(s[:1], lower+upper+digits) {
		return fmt.Errorf("name %q does not begin with a letter or digit", s)
	}
	return nil
}

// CheckTarget takes what programs attach to, as a text: what there is of it, only
// attaching says.
func CheckTarget(s string) error { return checkText("attach target", s, maxTarget) }

// checkWord takes a word made of the given ASCII characters.
func checkWord(what, s, characters string, limit int) error {
	if s == "" || len(s) > limit {
		return fmt.Errorf("%s has 1 to %d bytes, this one %d", what, limit, len(s))
	}
	if !madeOf(s, characters) {
		return fmt.Errorf("%s %q has characters other than %s", what, s, characters)
	}
	return nil
}

// checkFileName takes printable text that is one path element, because files
// and pins are made of it.
func checkFileName(what, s string, limit int) error {
	if err := checkText(what, s, limit); err != nil {
		return err
	}
	if s == "." || s == ".." || strings.Contains(s, "/") {
		return fmt.Errorf("%s %q is a path", what, s)
	}
	return nil
}

// checkText takes printable text in UTF-8: no control characters, no line
// breaks, nothing invisible, nothing that changes the direction of writing.
func checkText(what, s string, limit int) error {
	if s == "" || len(s) > limit {
		return fmt.Errorf("%s has 1 to %d bytes, this one %d", what, limit, len(s))
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s %q is not UTF-8", what, s)
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return fmt.Errorf("%s %q has the character %q", what, s, r)
		}
	}
	return nil
}

// checkKernelName takes what the kernel takes as a name
// (kernel/bpf/syscall.c, bpf_obj_name_cpy); it may be empty.
func checkKernelName(what, s string) error {
	if s == "" {
		return nil
	}
	return checkWord("the kernel's name of "+what, s, lower+upper+digits+"_.", maxKernelName)
}

// checkDigest takes a SHA-256 in lower-case hex.
func checkDigest(what, s string) error {
	if len(s) != 64 || !madeOf(s, hexDigits) {
		return fmt.Errorf("digest of %s: %q is not a SHA-256 in lower-case hex", what, s)
	}
	return nil
}

// checkRelease takes a kernel release of two numbers.
func checkRelease(what, s string) error {
	major, minor, ok := strings.Cut(s, ".")
	for _, part := range []string{major, minor} {
		n, err := strconv.ParseUint(part, 10, 16)
		if !ok || err != nil || strconv.FormatUint(n, 10) != part {
			return fmt.Errorf("%s: %q is not a kernel release such as 6.12", what, s)
		}
	}
	return nil
}

// checkAscending takes lists without duplicates, sorted by bytes.
func checkAscending(what string, list []string) error {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return fmt.Errorf("%s: %q stands twice or out of order", what, list[i])
		}
	}
	return nil
}

// madeOf reports whether every byte of s is one of the ASCII characters.
func madeOf(s, characters string) bool {
	for i := range len(s) {
		if strings.IndexByte(characters, s[i]) < 0 {
			return false
		}
	}
	return true
}
