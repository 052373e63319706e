package sign

import (
	"errors"
	"fmt"
	"time"

	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
	"github.com/trustedbpf/tbpf/verify"
)

// ErrNoLongerForKernel says that an object was signed for the kernel, and that
// the new keys cannot do that.
var ErrNoLongerForKernel = errors.New("the object is signed for the kernel, and the new key is none that the kernel takes")

// Again signs anew what was verified: the same object, loader programs and
// statement, with other keys. Of the options only the keys and Created count;
// what else the statement says stays. The old signatures are not in the result.
func Again(v *verify.Verified, opt Options) (*seal.Seal, *manifest.Manifest, error) {
	kernel, err := opt.kernel()
	if err != nil {
		return nil, nil, err
	}
	if kernel == nil && v.KernelCertificate() != nil {
		return nil, nil, ErrNoLongerForKernel
	}
	if v.KernelCertificate() == nil && opt.KernelSigner == nil {
		kernel = nil // it was not signed for the kernel on purpose
	}
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	m := v.Manifest()
	if m.Created = opt.Created.UTC().Truncate(time.Second); opt.Created.IsZero() {
		m.Created = time.Now().UTC().Truncate(time.Second)
	}
	if err := opt.nameSigners(m, kernel); err != nil {
		return nil, nil, err
	}
	s := &seal.Seal{Metadata: v.Metadata()}
	if s.Payload, err = manifest.Encode(m); err != nil {
		return nil, nil, fmt.Errorf("write manifest: %w", err)
	}
	for _, profile := range v.Profiles() {
		instructions, _, _ := v.Loader(profile)
		s.Loaders = append(s.Loaders, seal.Loader{Profile: profile, Instructions: instructions})
	}
	if err := opt.sign(s, kernel); err != nil {
		return nil, nil, err
	}
	if err := opt.prove(v.Object(), s); err != nil {
		return nil, nil, err
	}
	return s, m, nil
}
