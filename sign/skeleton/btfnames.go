package skeleton

import (
	"encoding/binary"
	"fmt"
)

// checkNames wants every name to begin where a string does, and tags of
// declarations to be of what the kernel allows (kernel/bpf/btf.c,
// btf_decl_tag_resolve). cilium/ebpf refuses others when it comes across them,
// which it does not always.
func (r *rawBTF) checkNames() error {
	le := binary.LittleEndian
	begins := func(at uint32) bool {
		return at == 0 || uint64(at) < uint64(len(r.strings)) && r.strings[at-1] == 0
	}
	for id := 1; id < len(r.types); id++ {
		t := &r.types[id]
		each := 0 // bytes of what follows and begins with a name
		switch t.kind() {
		case kindStruct, kindUnion, kindEnum64:
			each = 12
		case kindEnum, kindProto:
			each = 8
		}
		good := begins(t.name)
		for at := 0; each > 0 && at < len(t.tail); at += each {
			good = good && begins(le.Uint32(t.tail[at:]))
		}
		if t.kind() == kindDeclTag && !r.taggable(t.size) {
			return fmt.Errorf("section .BTF: type %d: a tag of what can have none", id)
		}
		if !good {
			return fmt.Errorf("section .BTF: type %d: a name is no string", id)
		}
	}
	return nil
}

// taggable reports whether a type may have a tag.
func (r *rawBTF) taggable(id uint32) bool {
	if id == 0 || int64(id) >= int64(len(r.types)) {
		return false
	}
	switch r.types[id].kind() {
	case kindStruct, kindUnion, kindFunc, kindVar, kindTypedef:
		return true
	}
	return false
}
