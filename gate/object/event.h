/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space and the gate's programs share: events, counters, and the
 * settings that are frozen when the gate is armed. gate/event.go, counter.go
 * and config.go have the same layouts; a test compares them with this object's
 * BTF. All numbers are in the machine's byte order.
 */
#ifndef GATE_EVENT_H
#define GATE_EVENT_H

#include "types.h"

/* What became of a request. */
enum gate_decision {
	GATE_PASSED = 1,  /* it is allowed */
	GATE_AUDITED = 2, /* it would be refused: the gate only audits */
	GATE_REFUSED = 3,
};

/* Why. Numbers are kept: user space gives them their names. */
enum gate_reason {
	/* passed */
	GATE_SIGNED = 1,  /* verified, by a keyring that is pinned */
	GATE_NESTED = 2,  /* from inside the run of a loader program that was allowed */
	GATE_LOADER = 3,  /* by the trusted loader */
	GATE_LISTED = 4,  /* an entry of the allow list */
	GATE_OLDER = 5,   /* reserved */
	/* refused: loads */
	GATE_UNSIGNED = 16,
	GATE_KEYRING = 17,       /* verified, by a keyring that is not pinned */
	GATE_TYPE = 18,          /* signed, and no loader program */
	GATE_UNCOVERED = 19,     /* signed, with attributes that no signature covers */
	GATE_NO_SIGNATURE = 20,  /* a signature's size and no signature */
	GATE_NOT_NESTED = 21,    /* from a SYSCALL program that was not allowed */
	GATE_NOT_LOADER = 22,    /* not by the trusted loader, on a kernel without signatures */
	GATE_TAG = 23,           /* an entry of the allow list names another program */
	GATE_MAP = 24,           /* a signed loader whose map is not exclusive or not frozen */
	GATE_NO_MEMORY = 25,     /* the gate could not remember what it has to */
	GATE_TEST = 26,          /* the self-test: it had to be refused */
	GATE_STATE = 27,         /* the loader read another policy, keyring or floor than is frozen */
	/* refused: taking the gate down */
	GATE_ITS_MAP = 32,       /* writing one of the gate's maps */
	GATE_ITS_PIN = 33,       /* removing or renaming one of its pins */
	GATE_ITS_MOUNT = 34,     /* unmounting or covering its bpffs */
	GATE_ITS_LINK = 35,      /* detaching or updating a link */
	GATE_FILE = 36,          /* writing, replacing or removing a pinned executable */
	GATE_PROCESS = 37,       /* tracing or ending the trusted loader */
	GATE_FTRACE = 38,        /* turning kernel.ftrace_enabled off, by which the gate hangs */
	GATE_ITERATOR = 39,      /* an iterator over something that its caller names, such as a map */
};

/* Flags of an event. */
#define GATE_FROM_KERNEL 1U /* asked by a BPF program */
#define GATE_TOKEN 2U       /* through a BPF token */
#define GATE_NO_EXE 4U      /* the task has no executable: a kernel thread */

/* What hook it was. bpf commands are given with their number instead. */
#define GATE_NO_COMMAND 0xffffffffU

#define GATE_NAME 16
#define GATE_EXE 136

/*
 * One decision. sequence counts from 1 over all CPUs and says where in the ring
 * the event is: (sequence - 1) % GATE_EVENTS. It is written last, check first:
 * a reader takes an event only if both are the number that it looks for.
 */
struct gate_event {
	__u64 sequence;
	__u64 time;        /* ns since boot, suspend included */
	__u64 cgroup;      /* id in the unified hierarchy */
	__u64 exe_inode;
	__u32 exe_device;  /* kernel's number: major << 20 | minor */
	__u32 pid;         /* of the process, in the initial namespace */
	__u32 thread;
	__u32 user;        /* user id, in the initial namespace */
	__u32 command;     /* of bpf(2), or GATE_NO_COMMAND */
	__u32 program_type;
	__u32 attach_type;
	__s32 keyring;     /* serial, or the keyring_id that was asked for */
	__u8 keyring_type; /* enum bpf_sig_keyring; 0 where the kernel does not tell */
	__u8 verdict;      /* 1: the kernel verified a signature */
	__u8 reason;
	__u8 decision;
	__u8 mode;
	__u8 flags;
	__u16 entry;       /* of the allow list; 0: none */
	__u8 tag[8];       /* of the program, where it is known: after verification */
	char task[GATE_NAME];
	char name[GATE_NAME]; /* the program's */
	char exe[GATE_EXE];   /* path of the executable, cut at its end; may be empty */
	__u64 check;
};

/* The ring: an array map that only the gate's programs write. */
#define GATE_EVENTS 1024

/* Counters: decisions by reason, and what went wrong. */
#define GATE_REASONS 64
#define GATE_COUNTERS (GATE_REASONS * 4)

#endif
