// Package faultinject runs a command under ptrace(2) and lets one of its system
// calls go wrong: the process that makes it is killed before the kernel does
// anything, or the call fails with an error number and is not made.
//
// It guarantees that every system call of every thread and process that the
// command starts is counted, in the order in which the kernel begins them, that
// at most one is interfered with, and that nothing of the command runs any more
// when Run returns.
//
// Tests import it, to try a program at every point (amd64 Linux only: the rest
// of the package is absent elsewhere). Nothing that is shipped may.
package faultinject
