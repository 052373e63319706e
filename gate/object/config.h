/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is frozen into the gate when it is armed, and what its programs
 * remember. gate/config.go has the same layouts.
 */
#ifndef GATE_CONFIG_H
#define GATE_CONFIG_H

#include "types.h"

enum gate_mode { GATE_NOT_ARMED, GATE_AUDIT, GATE_ENFORCE };

#define GATE_SERIALS 4
#define GATE_MAPS 16

/*
 * The settings, one entry. User space writes it, freezes the map and closes
 * it; no system call writes it from then on.
 */
struct gate_config {
	__u32 mode;      /* enum gate_mode; of what the process `test` does while not armed: enforce */
	__u32 test;      /* process that is judged although the gate is not armed; 0: none */
	__u32 keyrings;  /* bit n: enum bpf_sig_keyring n may verify; only system keyrings */
	__s32 serials[GATE_SERIALS]; /* user keyrings that may verify; 0: none */
	__u32 bpffs;     /* device number of the bpffs that has the pins */
	__u32 loader;    /* process that armed the gate and goes on loading; 0: none */
	__u32 maps[GATE_MAPS]; /* ids of the gate's maps; 0: none */
	__u32 loader_device; /* the trusted loader's binary */
	__u64 loader_inode; /* 0: there is none */
	__u64 state[4];  /* SHA-256 of policy, keyring and revocations */
	__u64 floor[4];  /* SHA-256 of the rollback floor's file */
};

/* What programs remember, one entry. Its map is frozen too: only they write it. */
struct gate_state {
	__u64 events;    /* events that were recorded: the last one's number */
	__u64 mount;     /* address of the mount of the gate's bpffs */
	__u32 loader;    /* 1: the process config.loader has its mark */
	__u32 dead;      /* bit n: serials[n] is a keyring that is gone */
	__u32 floors;    /* 1: floor[] below counts, not config's */
	__u32 zero;
	__u64 floor[2][4];
};

/* A file, as the kernel numbers it. */
struct gate_file {
	__u64 inode;
	__u32 device;
	__u32 zero;
};

/* A program that may be loaded unsigned: what loads it, and its tag. */
struct gate_listed {
	struct gate_file exe;
	__u8 tag[8]; /* all zero: any program; all ones: see the entries with tags */
};

/* What the gate remembers of a program, by the address of its aux. */
struct gate_program {
	__u32 state; /* enum gate_program_state */
	__u32 entry;
	struct gate_file exe; /* of who loads it, while its tag is not known */
};

enum gate_program_state {
	GATE_PROGRAM_SIGNED = 1, /* its signature was right: what it loads may be loaded */
	GATE_PROGRAM_TAGGED = 2, /* its tag has to be one that the allow list has */
};

/*
 * What a loader tells the gate, with a bpf(2) command of this number. The
 * kernel has no such command and says EINVAL to it after the gate let it pass.
 * prog_type is what it is about, and log_buf, func_info, line_info and fd_array are
 * the four words of a SHA-256.
 */
#define GATE_COMMAND 0x67617465
enum gate_tell {
	GATE_TELL_STATE = 1, /* the policy, keyring and revocations that it read */
	GATE_TELL_FLOOR = 2, /* the rollback floor that it read */
	GATE_TELL_NEXT = 3,  /* the rollback floor that it is about to write */
};

#endif
