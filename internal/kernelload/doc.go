//go:build linux

// Package kernelload runs one loader program: it makes the metadata map, loads
// the loader program with or without a signature, runs it once, and hands back
// the file descriptors that it made.
//
// It decides nothing: which profile to use, whether a load without a signature
// is allowed, and whether what came back is what was signed, is its caller's to
// decide. It takes raw bytes and trusts none of them, so that tests can give it
// wrong ones; what it guarantees is that a failure leaves nothing behind.
//
// loader imports it, and tests in the VM. Nothing else may: everything else
// loads verified objects only. It must not import cilium/ebpf.
package kernelload
