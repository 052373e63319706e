// Package kconfig reads facts about a kernel for the variables that programs
// declare __kconfig: lines of its configuration file, and its version.
//
// It guarantees that a value is either what the file says, in the form that
// manifest.Tunable takes, or an error: what does not follow the format, stands
// there twice or is of another type than the variable is never a value. What a
// variable may be given is as libbpf has it (src/libbpf.c, set_kcfg_value_*).
//
// loader imports it. It makes no system call.
package kconfig

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/trustedbpf/tbpf/internal/manifest"
)

// MaxFile bounds a configuration file, in bytes. Distributions' have 300,000.
const MaxFile = 4 << 20

// Find returns what a configuration file says of an option: the empty text if
// it does not set it. A file that is not whole is an error, whatever it says.
func Find(file []byte, name string) (value string, err error) {
	options := 0
	for number := 1; ; number++ {
		line, rest, whole := bytes.Cut(file, []byte("\n"))
		if !whole && len(line) == 0 && options > 0 {
			return value, nil
		}
		key, text, _ := bytes.Cut(line, []byte("="))
		if bytes.HasPrefix(line, []byte(manifest.ConfigPrefix)) { // what is not set is a remark
			options++
			whole = whole && len(text) > 0
			if string(key) == name {
				whole = whole && value == ""
				value = string(text)
			}
		}
		// A file that was cut short can end in the middle of a value.
		if !whole {
			return "", fmt.Errorf("the kernel's configuration: line %d is not whole, or one too many", number)
		}
		file = rest
	}
}

// Value is what a variable gets of what the kernel says of it, in the form that
// --set takes. A text that is too long is cut, as libbpf does it.
func Value(t *manifest.Tunable, raw string) (value string, ok bool) {
	signed := t.Kind == manifest.TunableSigned
	switch {
	case t.Kind == manifest.TunableString:
		if ok = len(raw) > 1 && raw[0] == '"' && raw[len(raw)-1] == '"'; ok {
			value = raw[1 : len(raw)-1]
			value = value[:min(len(value), int(t.Size)-1)]
		}
	case t.Kind == manifest.TunableBool:
		words := "ny"
		if !t.IsConfig() {
			words = "01"
		}
		which := strings.Index(words, raw)
		value, ok = strconv.FormatBool(which > 0), which >= 0 && len(raw) == 1
	case t.Kind == manifest.TunableEnum:
		value, ok = raw, true
	case t.Size == 1 && (raw == "y" || raw == "n" || raw == "m"):
		value, ok = strconv.Itoa(int(raw[0])), true // a char
	default:
		var n uint64
		if n, ok = manifest.ParseInteger(raw, signed); !ok {
			n, ok = manifest.ParseInteger(raw, !signed) // it wraps
		}
		value = manifest.FormatInteger(n, signed)
	}
	if ok {
		_, err := t.Encode(value)
		ok = err == nil
	}
	return value, ok
}

// Version is the kernel's LINUX_VERSION_CODE, 0 if it cannot be told.
// Distributions put it in places of their own, and a number that stays the same
// into the release: signature is Ubuntu's /proc/version_signature, empty where
// there is none; version and release are uname(2)'s. libbpf looks there too
// (src/libbpf_probes.c).
func Version(signature, version, release string) uint32 {
	if words := strings.Fields(signature); len(words) >= 3 {
		if code := Code(words[2], 3); code != 0 {
			return code
		}
	}
	_, debian, _ := strings.Cut(version, "Debian ")
	if code := Code(debian, 3); code != 0 {
		return code
	}
	return Code(release, 3)
}

// Code reads the numbers that a version begins with, with dots between them, 8
// bits for each (include/uapi/linux/version.h). It is 0 if there are fewer or
// one is too large; the last is cut.
func Code(s string, numbers int) uint32 {
	var code, n uint32
	digits := 0
	for i := 0; ; i++ {
		switch {
		case i < len(s) && s[i] >= '0' && s[i] <= '9' && digits < 5:
			n, digits = n*10+uint32(s[i]-'0'), digits+1
			continue
		case digits == 0 || numbers > 1 && (n > 255 || i == len(s) || s[i] != '.'):
			return 0
		}
		code = code<<8 | min(n, 255)
		n, digits, numbers = 0, 0, numbers-1
		if numbers == 0 {
			return code
		}
	}
}
