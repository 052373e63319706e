// Package gatetest is what the suite of vmtest proves of the gate inside a
// virtual machine, on each kernel: that a boot without it ends as the policy
// says, that it refuses every load that nobody signed, and that root cannot take
// it down. A machine has one gate until it is started anew, so the tests are
// steps of one.
//
// Its tests stand behind the build tag vmguest and run only there, as root. They
// write /etc/tbpf and what else a machine has. It must not be imported.
package gatetest
