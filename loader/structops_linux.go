package loader

import (
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// structOpsLink is the name among the links of the one by which the kernel uses
// a struct_ops map. Programs are C functions: none is called that.
func structOpsLink(mapName string) string { return mapName + "-link" }

// checkStructOps looks at the link by which the kernel uses a struct_ops map.
func checkStructOps(m *manifest.Map, fd *bpfsys.FD, of bpfsys.MapInfo) (LinkReport, error) {
	if fd == nil {
		return LinkReport{}, mismatch("map", m.Name, "it is not attached")
	}
	info, err := bpfsys.GetLinkInfo(fd)
	if err != nil {
		return LinkReport{}, failure("check link", m.Name, "check-failed", err)
	}
	if info.Type != bpfabi.LinkStructOps || info.MapID != of.ID {
		return LinkReport{}, mismatch("link", m.Name, "a link of type %v to the map with id %d, not %d", info.Type, info.MapID, of.ID)
	}
	return LinkReport{Map: m.Name, Type: info.Type.String(), ID: info.ID, Target: m.StructOps.Type}, nil
}
