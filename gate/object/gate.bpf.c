//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The gate: who may load BPF on this machine, from when it is armed until the
// machine is started anew.
//
//   event.h    what it tells
//   config.h   what is frozen into it
//   kernel.h   what it reads of the kernel
//   state.h    its maps
//   record.h   decisions
//   task.h     the trusted loader's marks
//   load.h     loads
//   program.h  what is judged once a program is verified
//   protect.h  its maps, pins and files
//   mount.h    the mount of its pins
#include "mount.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
