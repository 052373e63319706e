// Package keyring names and makes kernel keyrings: the ones that the kernel
// checks signatures of BPF programs against.
//
// A keyring that it makes holds exactly the certificates that it was given,
// takes no other from anybody, and may only be searched. It is named by its
// serial number, never by an alias such as "the session keyring", whose meaning
// depends on who asks.
//
// loader and cmd/tbpf import it. It must not import anything of tbpf.
package keyring
