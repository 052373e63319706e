// Package identity says whether two loads of one object put the same into the
// kernel. It reads back what the kernel tells: of each program the
// instructions as the verifier left them (the xlated dump), name, type, flags, attach type and
// attach target, whether the licence counts as GPL, and the maps that it uses;
// of each map its geometry, its types and its contents. What differs between
// two loads of the same by nature (the ids of maps, the addresses of what each
// load brings along) is put in terms of the object's own names, and everything
// else must be equal.
//
// Tests import it: internal/corpus compares what tbpf loaded with what
// cilium/ebpf loaded from the same object. It needs root, and a kernel that
// shows root its addresses.
package identity
