package loader

import (
	"math"
	"testing"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

func TestDelegationIsCompared(t *testing.T) {
	bit := func(n uint32) uint64 { return 1 << n }
	need := &manifest.Delegation{Commands: []string{"map_create", "prog_load"}, Maps: []string{"array"}, Programs: []string{"lsm", "syscall"}, AttachTypes: []string{"lsm_mac"}}
	exact := bpfsys.TokenInfo{
		Commands:    bit(uint32(bpfabi.CommandMapCreate)) | bit(uint32(bpfabi.CommandProgLoad)),
		Maps:        bit(uint32(bpfabi.MapArray)),
		Programs:    bit(uint32(bpfabi.ProgramLSM)) | bit(uint32(bpfabi.ProgramSyscall)),
		AttachTypes: bit(uint32(bpfabi.AttachLSMMac)),
	}
	for _, c := range []struct {
		name           string
		change         func(*bpfsys.TokenInfo)
		missing, wider string
	}{
		{"exact", func(*bpfsys.TokenInfo) {}, "", ""},
		{"one missing", func(i *bpfsys.TokenInfo) { i.Programs = bit(uint32(bpfabi.ProgramLSM)) }, "delegate_progs=syscall", ""},
		{"one more of two parts", func(i *bpfsys.TokenInfo) {
			i.Maps |= bit(uint32(bpfabi.MapRingBuf))
			i.AttachTypes |= bit(uint32(bpfabi.AttachXDP))
		}, "", "delegate_maps=ringbuf, delegate_attachs=xdp"},
		{"one of a later kernel", func(i *bpfsys.TokenInfo) { i.Maps |= 1 << 63 }, "", "delegate_maps=map type(63)"},
		{"any", func(i *bpfsys.TokenInfo) { i.Programs = math.MaxUint64 }, "", "delegate_progs=any"},
		{"another one instead", func(i *bpfsys.TokenInfo) { i.Maps = bit(uint32(bpfabi.MapRingBuf)) }, "delegate_maps=array", "delegate_maps=ringbuf"},
	} {
		info := exact
		c.change(&info)
		missing, wider, err := compareDelegation(info, need)
		if missing != c.missing || wider != c.wider || err != nil {
			t.Errorf("%s: missing %q, wider %q, %v", c.name, missing, wider, err)
		}
	}
	if _, _, err := compareDelegation(exact, &manifest.Delegation{Maps: []string{"no such map"}}); err == nil {
		t.Error("an unknown name is no error")
	}
}

// A28: a delegation that is wider than the manifest's is said, where the kernel
// tells it.
func TestWideDelegationsAreSaid(t *testing.T) {
	needTokens(t)
	d := enough()
	d.maps += ":hash"
	d.programs = "any"
	want := "loaded token=true pins=0\nthe bpffs delegates more than the manifest lists: delegate_maps=hash, delegate_progs=any"
	if older(release(t), "6.17") {
		want = "loaded token=true pins=0"
	}
	if got := runContainer(t, d, "load"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
