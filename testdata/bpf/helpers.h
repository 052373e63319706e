/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's helper functions that the fixtures call. A call of a constant
 * address compiles to a call of the helper with that number (linux/bpf.h,
 * ___BPF_FUNC_MAPPER).
 */
#ifndef TBPF_HELPERS_H
#define TBPF_HELPERS_H

#include "types.h"

struct bpf_spin_lock;
struct bpf_timer;
struct task_struct;

#define HELPER(number, result, name, ...) \
	static result (*const name)(__VA_ARGS__) = (void *)number

HELPER(1, void *, bpf_map_lookup_elem, void *map, const void *key);
HELPER(2, long, bpf_map_update_elem, void *map, const void *key, const void *value, __u64 flags);
HELPER(3, long, bpf_map_delete_elem, void *map, const void *key);
HELPER(5, __u64, bpf_ktime_get_ns, void);
HELPER(6, long, bpf_trace_printk, const char *format, __u32 size, ...);
HELPER(7, __u32, bpf_get_prandom_u32, void);
HELPER(8, __u32, bpf_get_smp_processor_id, void);
HELPER(12, long, bpf_tail_call, void *context, void *prog_array, __u32 index);
HELPER(14, __u64, bpf_get_current_pid_tgid, void);
HELPER(16, long, bpf_get_current_comm, void *buffer, __u32 size);
HELPER(25, long, bpf_perf_event_output, void *context, void *map, __u64 flags, void *data, __u64 size);
HELPER(51, long, bpf_redirect_map, void *map, __u64 key, __u64 flags);
HELPER(80, __u64, bpf_get_current_cgroup_id, void);
HELPER(87, long, bpf_map_push_elem, void *map, const void *value, __u64 flags);
HELPER(93, long, bpf_spin_lock, struct bpf_spin_lock *lock);
HELPER(94, long, bpf_spin_unlock, struct bpf_spin_lock *lock);
HELPER(113, long, bpf_probe_read_kernel, void *to, __u32 size, const void *from);
HELPER(115, long, bpf_probe_read_kernel_str, void *to, __u32 size, const void *from);
HELPER(127, long, bpf_seq_write, void *seq_file, const void *data, __u32 size);
HELPER(126, long, bpf_seq_printf, void *seq_file, const char *format, __u32 size, const void *data, __u32 data_size);
HELPER(130, long, bpf_ringbuf_output, void *ringbuf, void *data, __u64 size, __u64 flags);
HELPER(131, void *, bpf_ringbuf_reserve, void *ringbuf, __u64 size, __u64 flags);
HELPER(132, void, bpf_ringbuf_submit, void *data, __u64 flags);
HELPER(133, void, bpf_ringbuf_discard, void *data, __u64 flags);
HELPER(148, long, bpf_copy_from_user, void *to, __u32 size, const void *from);
HELPER(153, void *, bpf_per_cpu_ptr, const void *per_cpu, __u32 cpu);
HELPER(154, void *, bpf_this_cpu_ptr, const void *per_cpu);
HELPER(156, void *, bpf_task_storage_get, void *map, struct task_struct *task, void *value, __u64 flags);
HELPER(158, struct task_struct *, bpf_get_current_task_btf, void);
HELPER(164, long, bpf_for_each_map_elem, void *map, void *callback, void *context, __u64 flags);
HELPER(169, long, bpf_timer_init, struct bpf_timer *timer, void *map, __u64 flags);
HELPER(170, long, bpf_timer_set_callback, struct bpf_timer *timer, void *callback);
HELPER(171, long, bpf_timer_start, struct bpf_timer *timer, __u64 nanoseconds, __u64 flags);
HELPER(181, long, bpf_loop, __u32 count, void *callback, void *context, __u64 flags);
HELPER(188, __u64, bpf_xdp_get_buff_len, void *xdp);
HELPER(189, long, bpf_xdp_load_bytes, void *xdp, __u32 offset, void *to, __u32 size);

#undef HELPER

#endif
