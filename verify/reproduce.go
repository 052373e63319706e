package verify

import (
	"bytes"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/internal/seal"
)

// Regenerated is what an object gives when it is signed anew.
type Regenerated struct {
	Metadata []byte
	// Loaders has at least the profiles that the manifest lists.
	Loaders map[bpfabi.Profile][]byte
	// Manifest has at least the parts that are made from the object alone.
	Manifest *manifest.Manifest
	// Compare names the first of those parts in which two manifests differ, or
	// returns an empty string: manifest.DiffersFromGenerated, passed in because
	// programs that never generate anything do not link it.
	Compare func(signed, again *manifest.Manifest) string
}

// reproduce makes the loader programs anew and compares them byte for byte.
// It is called when every byte of the seal is known to be what was signed.
func reproduce(object []byte, s *seal.Seal, m *manifest.Manifest, regenerate func([]byte, *manifest.Manifest) (*Regenerated, error)) *Error {
	again, err := regenerate(object, m.Clone())
	if err != nil {
		return &Error{Reason: RegenerationFailed, Detail: "make the loader programs anew: " + err.Error(), Err: err}
	}
	if again == nil || again.Manifest == nil || again.Compare == nil {
		return refuse(RegenerationFailed, "make the loader programs anew: nothing was made")
	}
	if !bytes.Equal(again.Metadata, s.Metadata) {
		return notReproducible("metadata")
	}
	for i := range s.Loaders {
		l := &s.Loaders[i]
		if !bytes.Equal(again.Loaders[l.Profile], l.Instructions) {
			return notReproducible("loader program of profile " + l.Profile.String())
		}
	}
	if part := again.Compare(m, again.Manifest); part != "" {
		return notReproducible("manifest's " + part)
	}
	return nil
}

func notReproducible(what string) *Error {
	return &Error{Reason: NotReproducible, Detail: "the object gives another " + what + " than the one that was signed",
		Hint: "use the release of tbpf that signed it; if it was that one, do not trust the signer's machine"}
}
