// Package worker splits loading in two: a broker that decides, and a worker
// that has nothing to decide with. The worker is the same program started
// again, as an unprivileged user of the machine, in a user namespace of its
// own, with a BPF token for exactly what a manifest lists, only the
// capabilities listed there, no new privileges, a system call filter, no way
// to open files, and two descriptors: a socket to the broker and the token.
//
// The worker runs loader programs (package kernelload) and hands back what they
// made. Which profile, whether without a signature, and whether the result is
// what was signed, the broker decides; it takes nothing from the worker on
// trust. A worker that hangs, dies or answers nonsense is killed, and what it
// made goes with it.
//
// loader imports it; programs that load through it call Main first. It needs
// Linux 6.9 (BPF tokens). It must not import cilium/ebpf, verify or sign.
package worker

// Name is the first argument of a process that is a worker.
const Name = "tbpf-worker"
