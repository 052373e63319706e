// Package bench measures tbpf against its peers: whole processes, from start to
// exit, in rounds in which every contestant runs once, so that a busy machine
// is busy for all of them. What counts are ratios; docs/performance.md has the
// method and the last table.
//
// A measurement that misses its aim is printed as a miss and is no error. It is
// an error if a contestant does not run.
//
// internal/bench/cmd/bench imports it, the programs under internal/bench/peer
// are what it builds and runs. Nothing of the product may import it.
package bench
