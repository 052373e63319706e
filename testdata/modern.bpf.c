// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What programs of these years are made of: a tree and a list of objects that
// programs allocate, under locks in sections of their own; a reference to a task
// in a map; dynptrs; a loop over a kernel iterator; exceptions; a global function
// that takes the context by a tag.
#include "helpers.h"
#include "kernel.h"
#include "maps.h"
#include "net.h"

#define __tag(text) __attribute__((btf_decl_tag(text)))
#define __contains(type, member) __tag("contains:" #type ":" #member)
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __arg_ctx __tag("arg:ctx")
#define private(name) SEC(".bss." #name) __hidden __attribute__((aligned(8)))
#define container_of(pointer, type, member) ((type *)((void *)(pointer) - __builtin_offsetof(type, member)))

struct bpf_spin_lock {
	__u32 value;
};

struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));

struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

struct leaf {
	struct bpf_rb_node node;
	__u64 key;
};

struct item {
	struct bpf_list_node node;
	__u64 number;
};

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool (*less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;

static void *(*const bpf_kptr_xchg)(void *to, void *kptr) = (void *)194;
static long (*const bpf_dynptr_from_mem)(void *data, __u32 size, __u64 flags, struct bpf_dynptr *out) = (void *)197;
static long (*const bpf_dynptr_read)(void *to, __u32 size, const struct bpf_dynptr *from, __u32 offset, __u64 flags) = (void *)201;

#define new(type) ((type *)bpf_obj_new_impl(__builtin_btf_type_id(*(type *)0, 0), NULL))

private(tree) struct bpf_spin_lock tree_lock;
private(tree) struct bpf_rb_root tree __contains(leaf, node);
private(list) struct bpf_spin_lock list_lock;
private(list) struct bpf_list_head list __contains(item, node);

struct held {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, MAP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct held);
} holders SEC(".maps");

char text[16] = "seen by dynptr";

__u64 least;    // key in the tree: 3
__u64 last;     // number in the list: 7
__u32 sum;      // of 0 to 9: 45
__s32 held_pid; // 2
char copy[16];
__u64 last_cookie; // of an exception
__u32 length;   // of the packet, by a global function

static bool before(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

static int plant(__u64 key)
{
	struct leaf *leaf = new(struct leaf);

	if (!leaf)
		return -1;
	leaf->key = key;
	bpf_spin_lock(&tree_lock);
	bpf_rbtree_add_impl(&tree, &leaf->node, before, NULL, 0);
	bpf_spin_unlock(&tree_lock);
	return 0;
}

SEC("tc")
int objects(struct __sk_buff *skb)
{
	struct bpf_rb_node *first;
	struct bpf_list_node *back;
	struct item *item;

	if (plant(5) || plant(3) || plant(4))
		return 1;
	bpf_spin_lock(&tree_lock);
	first = bpf_rbtree_first(&tree);
	if (!first) {
		bpf_spin_unlock(&tree_lock);
		return 2;
	}
	first = bpf_rbtree_remove(&tree, first);
	bpf_spin_unlock(&tree_lock);
	if (!first)
		return 3;
	least = container_of(first, struct leaf, node)->key;
	bpf_obj_drop_impl(container_of(first, struct leaf, node), NULL);

	item = new(struct item);
	if (!item)
		return 4;
	item->number = 7;
	bpf_spin_lock(&list_lock);
	bpf_list_push_front_impl(&list, &item->node, NULL, 0);
	back = bpf_list_pop_back(&list);
	bpf_spin_unlock(&list_lock);
	if (!back)
		return 5;
	last = container_of(back, struct item, node)->number;
	bpf_obj_drop_impl(container_of(back, struct item, node), NULL);
	return 0;
}

SEC("tc")
int references(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_task_from_pid(2), *old;
	struct bpf_dynptr dynptr;
	struct held *held;
	__u32 zero = 0;

	if (!task)
		return 1;
	held_pid = task->pid;
	held = bpf_map_lookup_elem(&holders, &zero);
	if (!held) {
		bpf_task_release(task);
		return 2;
	}
	old = bpf_kptr_xchg(&held->task, task);
	if (old)
		bpf_task_release(old);
	if (bpf_dynptr_from_mem(text, sizeof(text), 0, &dynptr) || bpf_dynptr_read(copy, sizeof(copy), &dynptr, 0, 0))
		return 3;
	return 0;
}

__noinline int measure(void *ctx __arg_ctx)
{
	length = ((struct __sk_buff *)ctx)->len;
	return 0;
}

SEC("tc")
int loops(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 10);
	while ((number = bpf_iter_num_next(&it)))
		sum += *number;
	bpf_iter_num_destroy(&it);
	return measure(skb);
}

SEC("tc")
int throws(struct __sk_buff *skb)
{
	if (skb->len >= 64)
		bpf_throw(42);
	return 1;
}

static __noinline int more(__u64 cookie)
{
	last_cookie = cookie;
	return cookie + 1;
}

__noinline int caught(__u64 cookie)
{
	return more(cookie);
}

SEC("tc") __tag("exception_callback:caught")
int throws_to_callback(struct __sk_buff *skb)
{
	if (skb->len >= 64)
		bpf_throw(50);
	return more(0);
}

SEC("tc") __tag("exception_callback:caught")
int throws_again(struct __sk_buff *skb)
{
	bpf_throw(60);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
