// Package guesttest is what the suite of vmtest proves inside a virtual
// machine, on each kernel: that the command line loads every fixture there and
// that the fixture does what it is for, or is refused with the need that the
// kernel lacks; and that the kernel itself refuses what was tampered with.
//
// Its tests stand behind the build tag vmguest and run only there. The suite
// gives them the tbpf binary, the sealed fixtures, the keys and the tables of
// testdata. It must not be imported.
package guesttest
