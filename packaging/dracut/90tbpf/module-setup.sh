#!/bin/bash
# The trusted loader in a dracut initramfs. Install the directory as
# /usr/lib/dracut/modules.d/90tbpf.

# check: only where there is a boot set.
check() {
	[[ -d "${dracutsysrootdir-}/etc/tbpf/boot.d" ]] || return 255
	require_binaries /usr/lib/tbpf/tbpf-loader || return 1
}

# depends: systemd starts it.
depends() {
	echo systemd
}

# install copies the loader, what it trusts, the boot set and its objects. A
# missing object is an error now, when somebody can still do something about it.
install() {
	local file object
	inst_binary /usr/lib/tbpf/tbpf-loader
	for file in "${dracutsysrootdir-}"/etc/tbpf/* "${dracutsysrootdir-}"/etc/tbpf/{keyring,boot,revoked}.d/* \
		"${dracutsysrootdir-}"/usr/lib/tbpf/keyring.d/*; do
		[[ -f $file && ! -L $file ]] || continue
		inst_simple "${file#"${dracutsysrootdir-}"}"
	done
	while read -r object; do
		inst_simple "$object" || {
			derror "tbpf: $object of the boot set is missing"
			return 1
		}
	done < <(sed -nE "s/^[[:space:]]*(file|seal)[[:space:]]*=[[:space:]]*[\"']([^\"']*)[\"'].*/\2/p" \
		"${dracutsysrootdir-}"/etc/tbpf/boot.d/*.toml | sort -u)
	inst_simple "${systemdsystemunitdir:?}/tbpf-loader.service"
	inst_simple "$systemdsystemunitdir/tbpf-boot.service"
	$SYSTEMCTL -q --root "${initdir:?}" enable tbpf-loader.service tbpf-boot.service
	# Emergency mode alone does not hold the machine back: an initramfs may have
	# no emergency.service. The step to the root file system does.
	mkdir -p "$initdir$systemdsystemunitdir/initrd-switch-root.service.d"
	printf '[Service]\nExecStartPre=/usr/lib/tbpf/tbpf-loader check\n' \
		>"$initdir$systemdsystemunitdir/initrd-switch-root.service.d/tbpf.conf"
}
