// Package boottest is what the suite of vmtest proves of the trusted loader
// inside a virtual machine, on each kernel: that a boot set loads through
// tokens and acts, that a second run changes nothing, that a newer version takes
// an older one's place without a gap, and what becomes of a set that is damaged
// or that somebody else could have written.
//
// Its tests stand behind the build tag vmguest and run only there, as root. They
// write /etc/tbpf and what else a machine has. It must not be imported.
package boottest
