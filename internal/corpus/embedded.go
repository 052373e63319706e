package corpus

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FindEmbedded lists the objects inside the programs and libraries beneath
// root, where skeletons put them, and writes them to dir. A program that
// stands under two names, and an object that two programs carry, count once.
func FindEmbedded(source, root, dir string) (*Source, error) {
	version, err := packageVersion(root)
	if err != nil {
		return nil, fmt.Errorf("find version of %s: %w", source, err)
	}
	s := &Source{Name: source, Version: version}
	seen := make(map[string]bool) // by their bytes
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		program, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(program, []byte(elf.ELFMAG)) {
			return err
		}
		for i, object := range embedded(program) {
			if seen[string(object)] {
				continue
			}
			seen[string(object)] = true
			name := fmt.Sprintf("%s.%d.bpf.o", filepath.Base(path), i)
			copied := filepath.Join(dir, strings.ReplaceAll(source, "/", "-")+"-"+name)
			if err := os.WriteFile(copied, object, 0o644); err != nil {
				return err
			}
			s.Objects = append(s.Objects, Object{Source: source, Name: name, Path: copied})
		}
		return nil
	})
	if err == nil && len(s.Objects) == 0 {
		err = fmt.Errorf("no objects in programs beneath %s: %w", root, os.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("find objects of %s: %w", source, err)
	}
	slices.SortFunc(s.Objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// packageVersion is that of the Debian package unpacked at root.
func packageVersion(root string) (string, error) {
	changes, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/changelog.Debian.gz"))
	if err != nil {
		return "", err
	}
	if len(changes) == 0 {
		return "", fmt.Errorf("no change log beneath %s: %w", root, os.ErrNotExist)
	}
	return debianVersion(changes[0])
}

// embedded returns the little-endian BPF ELF files inside a program, the
// program itself excepted. Their linkers put the section headers last, which
// is where each ends.
func embedded(program []byte) [][]byte {
	const headerSize = 64
	magic := []byte(elf.ELFMAG + "\x02\x01\x01") // 64-bit, little-endian
	var found [][]byte
	for at := 1; ; {
		next := bytes.Index(program[at:], magic)
		if next < 0 {
			return found
		}
		at += next
		rest := program[at:]
		at++
		if len(rest) < headerSize || elf.Machine(binary.LittleEndian.Uint16(rest[18:])) != elf.EM_BPF {
			continue
		}
		sections := binary.LittleEndian.Uint64(rest[40:])
		each, count := binary.LittleEndian.Uint16(rest[58:]), binary.LittleEndian.Uint16(rest[60:])
		end := sections + uint64(each)*uint64(count)
		if sections > uint64(len(rest)) || end > uint64(len(rest)) {
			continue
		}
		if file, err := elf.NewFile(bytes.NewReader(rest[:end])); err == nil && file.Type == elf.ET_REL {
			found = append(found, rest[:end])
			at += int(end) - 1
		}
	}
}
