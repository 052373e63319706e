package loader

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// checkToken refuses a token that allows less than the object needs, by the
// names of what is missing, and says what one allows that the object does not
// need, as mount options. Kernels before 6.17 do not tell what a token allows;
// there the load itself finds out what is missing.
func checkToken(token *bpfsys.FD, dir string, d *manifest.Delegation) (wider string, err error) {
	info, err := bpfsys.GetTokenInfo(token)
	if errnoOf(err) == unix.EINVAL {
		return "", nil
	}
	if err != nil {
		return "", tokenError(dir, err)
	}
	missing, wider, err := compareDelegation(info, d)
	if err != nil {
		return "", failure("token", dir, "manifest-delegation", err)
	}
	if missing != "" {
		return "", &Error{verdict: Permission, Reason: "delegation-too-narrow", Stage: "token", Name: dir,
			text: "the bpffs was mounted without " + missing, Hint: "mount it with these options added"}
	}
	return wider, nil
}

// compareDelegation tells, as mount options, what of a manifest's delegation
// is not allowed, and what is allowed beyond it.
func compareDelegation(info bpfsys.TokenInfo, d *manifest.Delegation) (missing, wider string, err error) {
	var lack, excess []string
	for _, part := range []struct {
		option  string
		names   []string
		allowed uint64
		number  func(string) (uint32, error)
		name    func(uint32) string
	}{
		{"delegate_cmds", d.Commands, info.Commands, number(bpfabi.ParseCommand), nameOf[bpfabi.Command]},
		{"delegate_maps", d.Maps, info.Maps, number(bpfabi.ParseMapType), nameOf[bpfabi.MapType]},
		{"delegate_progs", d.Programs, info.Programs, number(bpfabi.ParseProgramType), nameOf[bpfabi.ProgramType]},
		{"delegate_attachs", d.AttachTypes, info.AttachTypes, number(bpfabi.ParseAttachType), nameOf[bpfabi.AttachType]},
	} {
		var lacking []string
		extra := part.allowed
		for _, name := range part.names {
			n, err := part.number(name)
			if err != nil || n >= 64 {
				return "", "", fmt.Errorf("%s=%s: %w", part.option, name, err)
			}
			if part.allowed>>n&1 == 0 {
				lacking = append(lacking, name)
			}
			extra &^= 1 << n
		}
		if len(lacking) > 0 {
			lack = append(lack, part.option+"="+strings.Join(lacking, ":"))
		}
		if extra != 0 {
			excess = append(excess, part.option+"="+maskNames(part.allowed, extra, part.name))
		}
	}
	return strings.Join(lack, ", "), strings.Join(excess, ", "), nil
}

// maskNames are the names of the bits of extra; "any" is every bit there can be.
func maskNames(allowed, extra uint64, name func(uint32) string) string {
	if allowed == math.MaxUint64 {
		return "any"
	}
	var names []string
	for n := range uint32(64) {
		if extra>>n&1 == 1 {
			names = append(names, name(n))
		}
	}
	return strings.Join(names, ":")
}

// number makes a parser of names that all types of numbers share.
func number[T ~uint32](parse func(string) (T, error)) func(string) (uint32, error) {
	return func(name string) (uint32, error) {
		n, err := parse(name)
		return uint32(n), err
	}
}

// nameOf is a number's name.
func nameOf[T interface {
	~uint32
	String() string
}](n uint32) string {
	return T(n).String()
}
