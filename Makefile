# What people and CI run. On Debian each target fetches what it needs (QEMU,
# kernels, Go itself where the system's is older than 1.26) into
# $(TBPF_CACHE) and installs nothing system-wide.

TBPF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tbpf
export TBPF_CACHE
export PATH := $(TBPF_CACHE)/bin:$(PATH)
export GOTOOLCHAIN := local

# The race detector needs a C compiler. CI has one; elsewhere it may be left out.
RACE := $(if $(or $(CI),$(shell command -v cc)),-race)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 60s

.PHONY: build keyless test tools cross lint generate corpus bench demo soak clean

# What `version` says. The date of the sources bounds the clock from below: a
# machine without a clock starts in 1970.
BUILDINFO := github.com/trustedbpf/tbpf/internal/buildinfo
LDFLAGS := -s -w -X $(BUILDINFO).revision=$(shell git rev-parse HEAD 2>/dev/null) \
	-X $(BUILDINFO).sourceDate=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))

# The trusted loader has a limit of size. Without inlining it is 7 % smaller, with
# functions that begin anywhere and not at every 32nd byte 2 %, and with Go 1.25's
# garbage collector, which it hardly needs, 1 %.
SMALL := -gcflags=all=-l
SMALL_LINK := -funcalign=1
SMALL_GO = $(if $(findstring go1.26,$(shell go env GOVERSION)),GOEXPERIMENT=nogreenteagc)

build: go
	CGO_ENABLED=0 go build -trimpath -ldflags='$(LDFLAGS)' -o build/ ./cmd/tbpf
	CGO_ENABLED=0 $(SMALL_GO) go build -trimpath $(SMALL) -ldflags='$(LDFLAGS) $(SMALL_LINK)' -o build/ ./cmd/tbpf-loader

# What checks sigstore bundles: a module of its own, minutes to compile at first.
keyless: go
	cd cmd/tbpf-keyless && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o ../../build/ .

# Everything, the five kernels included. -count=1: Go's test cache does not see
# what runs in a virtual machine.
test: tools cross
	go test $(RACE) -count=1 -timeout 60m ./...
	$(if $(RACE),cd cmd/sigstore-kms-pkcs11 && go test -count=1 .) # a module of its own, with cgo

# What tests need beside Go. Tests for which something cannot be had are
# skipped and say so; in CI that is a failure.
tools: go
	scripts/install-tools qemu openssl openssl-3.5 bpftool xdp-tools xdp-filter clang ovmf softhsm zstd fsverity evmctl mke2fs && scripts/fetch-kernels && scripts/fetch-userland trixie trixie-initramfs || test -z "$(CI)"

# Other systems: all of it for arm64, what signs, verifies and inspects for macOS.
cross: go
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go vet ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o /dev/null ./cmd/tbpf
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go vet ./cmd/tbpf ./sign/... ./verify/... ./keys/...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go build -o /dev/null ./cmd/tbpf

lint: go
	unformatted=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }
	go vet -tags vmguest,soak ./...
	go run $(STATICCHECK) -tags vmguest,soak ./...
	$(if $(RACE),cd cmd/sigstore-kms-pkcs11 && go vet . && go run $(STATICCHECK) .)
	scripts/install-tools shellcheck actionlint
	shellcheck scripts/* .ci/run packaging/initramfs-tools/*/tbpf packaging/initramfs-tools/scripts/*/tbpf packaging/dracut/*/module-setup.sh
	scripts/lint-ci

# The compiled objects of testdata, from the C source beside them.
generate:
	scripts/install-tools clang bpftool
	scripts/generate.sh
	scripts/generate-gate.sh

# The objects that others wrote: sealed and loaded, or refused, on every kernel.
# Writes docs/compatibility.md anew; an hour on two quiet CPUs. A part of it:
# CORPUS='-sources selftests -kernels 7.3'.
corpus: tools
	scripts/install-tools libbpf-tools systemd bpftool-7.2
	scripts/fetch-selftests
	go test -count=1 -v -timeout 5h -run 'Loads|Document' ./internal/corpus -update $(CORPUS)

# tbpf against its peers: whole processes, medians, ratios. Loading needs root.
# In CI only to see that all of it runs.
BENCH ?= $(if $(CI),-short)
bench: go
	scripts/install-tools bpftool openssl libbpf
	go run ./internal/bench/cmd/bench $(BENCH)
	scripts/fetch-kernels 7.3 6.12 && scripts/install-tools qemu
	go test -count=1 -v -run 'TestGate/(7.3|6.12)/audit' ./internal/vmtest | grep -E 'overhead:|^(ok|FAIL|panic)' # what the gate costs

# From a key to a file that Linux 7.3 refuses to open.
demo: go
	scripts/install-tools qemu
	scripts/fetch-kernels 7.3
	scripts/demo

# Every fuzz target for a while (FUZZTIME each), then the kernels three times, in
# the long form: every bit of every delegation is taken away once. Then tbpf-loader
# with a fault at every one of its system calls (hours).
soak: tools
	scripts/soak $(FUZZTIME)
	cd cmd/tbpf-keyless && go vet ./... && go test -count=1 ./...
	scripts/install-tools cosign step
	TBPF_BUILT=required go test -count=1 -v -run 'Cosign|Step' ./internal/interop
	scripts/fetch-userland forky
	go test -count=1 -tags soak -timeout 10m -run TestServiceWithAToken ./internal/vmtest
	go test -count=1 -v -tags soak -timeout 60m -run TestObjectsOfEveryCompiler ./internal/vmtest
	TBPF_LONG=1 go test -count=1 -timeout 60m -run 'TestSystemd|TestInitramfs|TestGateWithSystemd' ./internal/vmtest
	TBPF_LONG=1 go test -count=1 -timeout 60m ./internal/mutation
	TBPF_LONG=1 TBPF_SEED=$$(date +%s) go test -count=1 -v -timeout 60m -run TestMutantsLoad ./sign/skeleton
	TBPF_LONG=1 go test -count=3 -timeout 180m -run 'TestKernels|TestPlatformKeyring' ./internal/vmtest
	TBPF_LONG=1 go test -count=1 -v -timeout 13h -run TestFaults ./internal/faultinject

clean:
	rm -rf build

.PHONY: go
go:
	scripts/install-tools go
