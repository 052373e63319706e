/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compile once, run everywhere: questions about the running kernel's types
 * that clang turns into relocation records. The numbers are the record kinds
 * of enum bpf_core_relo_kind (linux/bpf.h), as clang's builtins count them
 * within each of the three families: fields, types and enumerators.
 */
#ifndef TBPF_CORE_H
#define TBPF_CORE_H

#include "types.h"

/* Puts relocations on every access to a member of the type. */
#define __relocate __attribute__((preserve_access_index))

#define core_field_offset(field) __builtin_preserve_field_info(field, 0)
#define core_field_size(field) __builtin_preserve_field_info(field, 1)
#define core_field_exists(field) __builtin_preserve_field_info(field, 2)
#define core_field_signed(field) __builtin_preserve_field_info(field, 3)

#define core_type_exists(c_type) __builtin_preserve_type_info(*(typeof(c_type) *)0, 0)
#define core_type_size(c_type) __builtin_preserve_type_info(*(typeof(c_type) *)0, 1)
#define core_type_matches(c_type) __builtin_preserve_type_info(*(typeof(c_type) *)0, 2)

#define core_type_id_local(c_type) __builtin_btf_type_id(*(typeof(c_type) *)0, 0)
#define core_type_id_kernel(c_type) __builtin_btf_type_id(*(typeof(c_type) *)0, 1)

#define core_enum_exists(c_type, enumerator) \
	__builtin_preserve_enum_value(*(typeof(c_type) *)enumerator, 0)
#define core_enum_value(c_type, enumerator) \
	__builtin_preserve_enum_value(*(typeof(c_type) *)enumerator, 1)

#endif
