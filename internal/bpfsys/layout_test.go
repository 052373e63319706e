//go:build linux

package bpfsys

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The offsets are those of include/uapi/linux/bpf.h; the ones that matter for
// signatures are also in the project's fact sheet.
func TestAttributesHaveTheKernelsLayout(t *testing.T) {
	var (
		m  mapCreateAttr
		e  mapElemAttr
		p  progLoadAttr
		r  progRunAttr
		i  infoAttr
		pi progInfo
		mi mapInfo
		bi btfInfo
		l  linkCreateAttr
		li linkInfo
		km kprobeMultiAttr
		um uprobeMultiAttr
		ln namedLinkInfo
		rt rawTracepointAttr
		o  objAttr
		tc tokenCreateAttr
		pe perfEventAttr
	)
	for _, c := range []struct {
		field     string
		got, want uintptr
	}{
		{"map_create", unsafe.Sizeof(m), 96},
		{"map_create.map_flags", unsafe.Offsetof(m.mapFlags), 16},
		{"map_create.inner_map_fd", unsafe.Offsetof(m.innerMapFD), 20},
		{"map_create.map_name", unsafe.Offsetof(m.mapName), 28},
		{"map_create.btf_fd", unsafe.Offsetof(m.btfFD), 48},
		{"map_create.map_extra", unsafe.Offsetof(m.mapExtra), 64},
		{"map_create.value_type_btf_obj_fd", unsafe.Offsetof(m.valueTypeBTFObjFD), 72},
		{"map_create.map_token_fd", unsafe.Offsetof(m.mapTokenFD), 76},
		{"map_create.excl_prog_hash", unsafe.Offsetof(m.exclProgHash), 80},
		{"map_create.excl_prog_hash_size", unsafe.Offsetof(m.exclProgHashSize), 88},
		{"map_create plain", mapCreateSizePlain, 80},
		{"map_create old", mapCreateSizeOld, 72},
		{"map_elem", unsafe.Sizeof(e), 32},
		{"map_elem.key", unsafe.Offsetof(e.key), 8},
		{"map_elem.value", unsafe.Offsetof(e.value), 16},
		{"map_elem.flags", unsafe.Offsetof(e.flags), 24},
		{"prog_load", unsafe.Sizeof(p), 168},
		{"prog_load.insns", unsafe.Offsetof(p.insns), 8},
		{"prog_load.license", unsafe.Offsetof(p.license), 16},
		{"prog_load.log_level", unsafe.Offsetof(p.logLevel), 24},
		{"prog_load.log_size", unsafe.Offsetof(p.logSize), 28},
		{"prog_load.log_buf", unsafe.Offsetof(p.logBuf), 32},
		{"prog_load.prog_flags", unsafe.Offsetof(p.progFlags), 44},
		{"prog_load.prog_name", unsafe.Offsetof(p.progName), 48},
		{"prog_load.expected_attach_type", unsafe.Offsetof(p.expectedAttachType), 68},
		{"prog_load.prog_btf_fd", unsafe.Offsetof(p.progBTFFD), 72},
		{"prog_load.func_info", unsafe.Offsetof(p.funcInfo), 80},
		{"prog_load.func_info_cnt", unsafe.Offsetof(p.funcInfoCnt), 88},
		{"prog_load.line_info_cnt", unsafe.Offsetof(p.lineInfoCnt), 104},
		{"prog_load.attach_btf_id", unsafe.Offsetof(p.attachBTFID), 108},
		{"prog_load.attach_btf_obj_fd", unsafe.Offsetof(p.attachBTFObjFD), 112},
		{"prog_load.core_relo_cnt", unsafe.Offsetof(p.coreReloCnt), 116},
		{"prog_load.fd_array", unsafe.Offsetof(p.fdArray), 120},
		{"prog_load.core_relos", unsafe.Offsetof(p.coreRelos), 128},
		{"prog_load.core_relo_rec_size", unsafe.Offsetof(p.coreReloRecSize), 136},
		{"prog_load.prog_token_fd", unsafe.Offsetof(p.progTokenFD), 144},
		{"prog_load.fd_array_cnt", unsafe.Offsetof(p.fdArrayCnt), 148},
		{"prog_load.signature", unsafe.Offsetof(p.signature), 152},
		{"prog_load.signature_size", unsafe.Offsetof(p.signatureSize), 160},
		{"prog_load.keyring_id", unsafe.Offsetof(p.keyringID), 164},
		{"prog_load old", progLoadSizeOld, 140},
		{"prog_load token", progLoadSizeToken, 148},
		{"prog_load plain", progLoadSizePlain, 152},
		{"test", unsafe.Sizeof(r), 80},
		{"test.retval", unsafe.Offsetof(r.retval), 4},
		{"test.ctx_size_in", unsafe.Offsetof(r.ctxSizeIn), 40},
		{"test.ctx_in", unsafe.Offsetof(r.ctxIn), 48},
		{"test.ctx_out", unsafe.Offsetof(r.ctxOut), 56},
		{"info", unsafe.Sizeof(i), 16},
		{"prog_info", unsafe.Sizeof(pi), 232},
		{"prog_info.nr_map_ids", unsafe.Offsetof(pi.nrMapIDs), 52},
		{"prog_info.map_ids", unsafe.Offsetof(pi.mapIDs), 56},
		{"prog_info.name", unsafe.Offsetof(pi.name), 64},
		{"prog_info.gpl_compatible", unsafe.Offsetof(pi.gplCompatible), 84},
		{"prog_info.btf_id", unsafe.Offsetof(pi.btfID), 128},
		{"prog_info.run_time_ns", unsafe.Offsetof(pi.runTimeNS), 192},
		{"prog_info.attach_btf_obj_id", unsafe.Offsetof(pi.attachBTFObjID), 220},
		{"prog_info.attach_btf_id", unsafe.Offsetof(pi.attachBTFID), 224},
		{"map_info", unsafe.Sizeof(mi), 104},
		{"map_info.name", unsafe.Offsetof(mi.name), 24},
		{"map_info.map_extra", unsafe.Offsetof(mi.mapExtra), 80},
		{"map_info.hash", unsafe.Offsetof(mi.hash), 88},
		{"map_info.hash_size", unsafe.Offsetof(mi.hashSize), 96},
		{"btf_info", unsafe.Sizeof(bi), 32},
		{"btf_info.name", unsafe.Offsetof(bi.name), 16},
		{"btf_info.kernel_btf", unsafe.Offsetof(bi.kernelBTF), 28},
		{"link_create", unsafe.Sizeof(l), 24},
		{"link_create.perf_event.bpf_cookie", unsafe.Offsetof(l.cookie), 16},
		{"link_create.kprobe_multi.cnt", unsafe.Offsetof(km.count), 20},
		{"link_create.kprobe_multi.syms", unsafe.Offsetof(km.symbols), 24},
		{"link_create.uprobe_multi.path", unsafe.Offsetof(um.path), 16},
		{"link_create.uprobe_multi.offsets", unsafe.Offsetof(um.offsets), 24},
		{"link_create.uprobe_multi.cnt", unsafe.Offsetof(um.count), 48},
		{"link_create.uprobe_multi.flags", unsafe.Offsetof(um.multiFlags), 52},
		{"link_create.uprobe_multi.pid", unsafe.Offsetof(um.pid), 56},
		{"link_create.kprobe_multi", unsafe.Sizeof(km), 48},
		{"link_info", unsafe.Sizeof(li), 64},
		{"link_info union", unsafe.Offsetof(li.union), 16},
		{"link_info named", unsafe.Sizeof(ln), 64},
		{"link_info tp_name", unsafe.Offsetof(ln.name), 16},
		{"link_info tp_name_len", unsafe.Offsetof(ln.nameLen), 24},
		{"raw_tracepoint.prog_fd", unsafe.Offsetof(rt.progFD), 8},
		{"obj", unsafe.Sizeof(o), 16},
		{"obj.bpf_fd", unsafe.Offsetof(o.bpfFD), 8},
		{"token_create", unsafe.Sizeof(tc), 8},
		{"perf_event_attr", unsafe.Sizeof(pe), unix.PERF_ATTR_SIZE_VER1},
		{"perf_event_attr.config", unsafe.Offsetof(pe.config), 8},
		{"perf_event_attr.config1", unsafe.Offsetof(pe.config1), 56},
		{"perf_event_attr.config2", unsafe.Offsetof(pe.config2), 64},
		{"token_info", unsafe.Sizeof(TokenInfo{}), 32},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.field, c.got, c.want)
		}
	}
}
