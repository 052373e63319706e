// Package mutant changes BPF objects the way that fuzz tests need: not bytes of
// a file, most of which end in "this is no ELF file", but what an ELF file is made
// of. It takes an object apart into sections, changes instructions, symbols,
// relocations, types, the contents, names and headers of sections, and puts it
// together again.
//
// The same object and script give the same mutant. Tests import it.
package mutant
