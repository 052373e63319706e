#!/bin/sh
# Builds the fixtures: testdata/**/*.bpf.c -> *.bpf.o, and records in
# testdata/objects.sum what was built from what.
#
#   scripts/generate.sh          build in place
#   scripts/generate.sh DIR      build into DIR and leave the tree alone
#
# The same compiler gives the same bytes, in every directory: paths are mapped
# away and debug sections cut. CLANG, LLVM_STRIP and BPFTOOL name other tools.
# A source that asks for PART is compiled as part 1 and as part 2, and linked.
set -eu

clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
bpftool=${BPFTOOL:-bpftool}
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/testdata}
for tool in "$clang" "$strip" "$bpftool"; do
	command -v "$tool" >/dev/null || {
		echo "generate: $tool not found: scripts/install-tools clang bpftool" >&2
		exit 1
	}
done

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$top/testdata"
# compile SOURCE OBJECT FLAG...
compile() {
	from=$1 to=$2
	shift 2
	"$clang" -target bpfel -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
		-Wno-unused-parameter -Wno-unused-const-variable \
		-ffile-prefix-map="$top/testdata"=. -fdebug-compilation-dir=. -I bpf \
		"$@" -c "$from" -o "$to"
	"$strip" -g "$to"
}

find . -name '*.bpf.c' | LC_ALL=C sort | while read -r source; do
	object=$out/${source%.c}.o
	mkdir -p "$(dirname "$object")"
	if grep -q '\<PART\>' "$source"; then
		compile "$source" "$object.1" -DPART=1
		compile "$source" "$object.2" -DPART=2
		"$bpftool" gen object "$object" "$object.1" "$object.2"
		rm "$object.1" "$object.2"
	else
		compile "$source" "$object"
	fi
done

# Digests of the sources (headers and this script included) and of the objects.
{
	find . -name '*.bpf.c' -o -name '*.h' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum
	(cd "$out" && find . -name '*.bpf.o' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum)
} >"$out/objects.sum"
