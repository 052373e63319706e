// Package gate is the control of the gate: BPF LSM programs that refuse every
// load of BPF which the machine's keys did not sign, for everybody, until the
// machine is started anew. The programs are in gate/object.
//
// It guarantees that a gate which it reports as on has refused a load that had
// to be refused, after everything of it was attached, and that nothing can
// write its settings any more.
//
// internal/trusted and cmd/tbpf import it. It must not import sign, keys/signer,
// cobra, sigstore or cilium/ebpf.
package gate
