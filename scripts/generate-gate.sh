#!/bin/sh
# Builds the gate: gate/object/gate.bpf.c -> gate.bpf.o, and records in
# gate/object/gate.sum what was built from what.
#
#   scripts/generate-gate.sh          build in place
#   scripts/generate-gate.sh DIR      build into DIR and leave the tree alone
#
# The same compiler gives the same bytes, in every directory.
set -eu

clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$top/gate/object}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$top"
"$clang" -target bpfel -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-unused-const-variable \
	-ffile-prefix-map="$top"=. -fdebug-compilation-dir=. -I testdata/bpf \
	-c gate/object/gate.bpf.c -o "$out/gate.bpf.o"
"$strip" -g "$out/gate.bpf.o"
{
	LC_ALL=C sha256sum gate/object/*.bpf.c gate/object/*.h testdata/bpf/*.h
	(cd "$out" && sha256sum gate.bpf.o)
} >"$out/gate.sum"
