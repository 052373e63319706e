//go:build linux

// Package bpfsys is bpf(2) and nothing more: one function a command, with
// attributes laid out by hand as kernel-facing structs, and file descriptors
// that have one owner.
//
// It guarantees that every descriptor it returns is close-on-exec, is none of
// 0, 1 and 2, and is closed once, by its owner's Close: there are no
// finalizers, so that no descriptor dies while the kernel still works with its
// number. It probes nothing, retries only what the kernel asks to have retried
// (EINTR, and EAGAIN of a verifier run that a signal stopped), caches nothing,
// and never asks for less than it was told to.
//
// loader, keys/keyring's tests and the trusted loader import it. It must not
// import cilium/ebpf or anything of tbpf but bpfabi.
package bpfsys
