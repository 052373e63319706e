#!/bin/sh
# Builds the fixtures: testdata/**/*.bpf.c -> *.bpf.o, and records in
# testdata/objects.sum what was built from what.
#
#   scripts/generate.sh          build in place
#   scripts/generate.sh DIR      build into DIR and leave the tree alone
#
# The same compiler gives the same bytes, in every directory: paths are mapped
# away and debug sections cut. CLANG and LLVM_STRIP name other tools.
set -eu

clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/testdata}
for tool in "$clang" "$strip"; do
	command -v "$tool" >/dev/null || {
		echo "generate: $tool not found: install clang-19 and llvm-19" >&2
		exit 1
	}
done

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$top/testdata"
find . -name '*.bpf.c' | LC_ALL=C sort | while read -r source; do
	object=${source%.c}.o
	mkdir -p "$out/$(dirname "$object")"
	"$clang" -target bpfel -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
		-Wno-unused-parameter -Wno-unused-const-variable \
		-ffile-prefix-map="$top/testdata"=. -fdebug-compilation-dir=. -I bpf \
		-c "$source" -o "$out/$object"
	"$strip" -g "$out/$object"
done

# Digests of the sources (headers and this script included) and of the objects.
{
	find . -name '*.bpf.c' -o -name '*.h' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum
	(cd "$out" && find . -name '*.bpf.o' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum)
} >"$out/objects.sum"
