module github.com/trustedbpf/tbpf/cmd/sigstore-kms-pkcs11

go 1.26.0

require github.com/miekg/pkcs11 v1.1.2
