// Package loader puts a verified object into the kernel: Load takes a
// *verify.Verified and nothing else, so that what was verified is what is
// loaded.
//
// It guarantees that either all of the object is loaded, checked against the
// manifest, attached and pinned, or nothing of it is left; that the kernel has
// checked the loader program's signature, unless it cannot check any and the
// caller allowed that by name; and that no weaker way is tried where the kernel
// refused a stronger one for any reason but not knowing it.
//
// Loading needs Linux. Elsewhere every function returns an error with the
// verdict Unsupported, so that commands build on every system.
//
// cmd/tbpf and the trusted loader import it. It must not import sign,
// keys/signer, cobra, sigstore or cilium/ebpf.
package loader
