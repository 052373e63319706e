# Signs what a Makefile builds:
#
#   TBPF_KEY  = release.key
#   TBPF_CERT = release.crt
#   include tbpf.mk
#   all: guard.bpf.tbpf
#
# Every %.bpf.o then gives %.bpf.tbpf, verified, and %.bpf.provenance.json beside
# it. Key, certificate and what the manifest says of the build are the variables
# of packaging/ci/sign.
TBPF_SIGN ?= $(dir $(lastword $(MAKEFILE_LIST)))sign
TBPF_KEY ?= env://TBPF_SIGNING_KEY
TBPF_REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
TBPF_SOURCE ?= $(shell git remote get-url origin 2>/dev/null)

export TBPF_KEY TBPF_CERT TBPF_KEYRING TBPF_POLICY TBPF_VERSION
export TBPF_BUILDER TBPF_SOURCE TBPF_REVISION TBPF_INVOCATION TBPF_MATERIALS TBPF_PROGRAM

%.bpf.tbpf %.bpf.provenance.json: %.bpf.o $(TBPF_CERT)
	TBPF_OUT=$(@D) $(TBPF_SIGN) $<
