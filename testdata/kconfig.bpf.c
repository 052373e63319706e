// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads facts about the kernel that it runs on, of every type that there is for
// them. A signer cannot know them: they are the loading machine's.
#include "helpers.h"
#include "maps.h"

enum libbpf_tristate { TRI_NO = 0, TRI_YES = 1, TRI_MODULE = 2 };

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern __u8 LINUX_HAS_SYSCALL_WRAPPER __kconfig __weak;
extern int LINUX_TBPF_UNKNOWN __kconfig __weak;

extern bool CONFIG_BPF_SYSCALL __kconfig;
extern bool CONFIG_TBPF_ABSENT __kconfig __weak;
extern enum libbpf_tristate CONFIG_NET __kconfig;
extern enum libbpf_tristate CONFIG_BTRFS_FS __kconfig;
extern enum libbpf_tristate CONFIG_TBPF_NO_MODULE __kconfig __weak;
extern char CONFIG_VXLAN __kconfig;
extern int CONFIG_HZ __kconfig;
extern short CONFIG_LOG_BUF_SHIFT __kconfig;
extern __u64 CONFIG_PHYSICAL_START __kconfig __weak; // of x86
extern long CONFIG_TBPF_NO_NUMBER __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[16] __kconfig;
extern const unsigned char CONFIG_LSM[6] __kconfig; // longer: it is cut
extern char CONFIG_TBPF_NO_TEXT[8] __kconfig __weak;

__u32 version;
__u8 cookie;
__u8 wrapper;
__u32 unknown = 7;
__u8 has_bpf;
__u32 net;
__u32 btrfs;
__u32 no_module = 7;
__u8 vxlan;
__u32 hz;
__u16 buffer;
__u64 start;
__u64 no_number = 7;
char hostname[16];
char lsm[6];
char no_text[8] = "another";

SEC("syscall")
int ask(void *ctx)
{
	unsigned int i;

	version = LINUX_KERNEL_VERSION;
	cookie = LINUX_HAS_BPF_COOKIE;
	wrapper = LINUX_HAS_SYSCALL_WRAPPER;
	unknown = LINUX_TBPF_UNKNOWN;
	has_bpf = CONFIG_BPF_SYSCALL;
	net = CONFIG_NET;
	btrfs = CONFIG_BTRFS_FS;
	no_module = CONFIG_TBPF_NO_MODULE;
	vxlan = CONFIG_VXLAN;
	hz = CONFIG_HZ;
	buffer = CONFIG_LOG_BUF_SHIFT;
	start = CONFIG_PHYSICAL_START;
	no_number = CONFIG_TBPF_NO_NUMBER;
	for (i = 0; i < sizeof(hostname); i++)
		hostname[i] = CONFIG_DEFAULT_HOSTNAME[i];
	for (i = 0; i < sizeof(lsm); i++)
		lsm[i] = CONFIG_LSM[i];
	for (i = 0; i < sizeof(no_text); i++)
		no_text[i] = CONFIG_TBPF_NO_TEXT[i];
	// What the verifier knows to be zero, it does not look at.
	if (CONFIG_TBPF_ABSENT)
		bpf_map_delete_elem(NULL, &i);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
