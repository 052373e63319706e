/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Integer types, attributes and constants that every fixture uses.
 *
 * These headers declare no more than the fixtures need. They are written for
 * tbpf; the numbers in them are the kernel's user interface (linux/bpf.h,
 * linux/if_ether.h and so on), named at each place.
 */
#ifndef TBPF_TYPES_H
#define TBPF_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

/* The section name tells a loader the program's type and attach target. */
#define SEC(name) __attribute__((section(name), used))

#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))

/* A static function that a loader must see only as part of other programs. */
#define __hidden __attribute__((visibility("hidden")))

/* Symbols that the loader finds in the running kernel. */
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))

/* Keeps the compiler from seeing through a value. */
#define opaque(x) asm volatile("" : "+r"(x))

/* Error numbers, asm-generic/errno-base.h. */
#define EPERM 1
#define ENOENT 2
#define EACCES 13

/* Byte order of the wire on a little-endian machine. */
#define htons(x) ((__be16)__builtin_bswap16((__u16)(x)))
#define htonl(x) ((__be32)__builtin_bswap32((__u32)(x)))

#endif
