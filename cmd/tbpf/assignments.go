package main

import "strings"

// assignments reads the pairs of a flag. empty says that the value may be.
func assignments(flag, form, example string, pairs []string, empty bool) (map[string]string, error) {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" && !empty {
			return nil, usage(example, "%s %q is not %s", flag, pair, form)
		}
		if _, twice := m[name]; twice {
			return nil, usage("", "%s names %q twice", flag, name)
		}
		m[name] = value
	}
	return m, nil
}

// given is how often a flag was.
type given struct {
	flag  string
	times int
}

// ofOneFile refuses flags that say something of one file where there are several.
func ofOneFile(verb string, files []string, flags ...given) error {
	for _, f := range flags {
		if f.times > 0 && len(files) > 1 {
			return usage(verb+" one file at a time", "%s belongs to one file, not to %d", f.flag, len(files))
		}
	}
	return nil
}
