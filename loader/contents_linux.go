package loader

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// signedContents are the initial contents of a map, from the metadata that was
// signed.
func signedContents(p *manifest.Map, metadata []byte) ([]byte, error) {
	from, length := uint64(p.ContentsAt), p.Contents.Length
	if from == 0 || from > uint64(len(metadata)) || length > uint64(len(metadata))-from {
		return nil, mismatch("map", p.Name, "the metadata does not say what is in it: sign the object anew")
	}
	data := metadata[from:][:length]
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Contents.SHA256 {
		return nil, mismatch("map", p.Name, "the metadata has other contents than the manifest")
	}
	return data, nil
}

// checkContents compares the constants of a loaded object with what was signed
// and what the machine set. Between the moment in which the loader program fills
// such a map and that in which it freezes it, anybody who may write to maps can
// write to this one, and the verifier then takes that for the object's.
func (l *Loaded) checkContents(r *run) error {
	for i := range r.manifest.Maps {
		p := &r.manifest.Maps[i]
		if !p.Frozen || !p.IsSection() {
			continue
		}
		want := make([]byte, p.ValueSize)
		if p.Contents != nil {
			data, err := signedContents(p, r.src.metadata)
			if err != nil {
				return err
			}
			copy(want, data)
		}
		set := r.settings.Tunables // the context's end
		begin := r.manifest.Context - uint32(len(set))
		for j := range r.manifest.Tunables {
			if t := &r.manifest.Tunables[j]; t.Map == p.Name && !t.IsSize() {
				copy(want[t.Offset:][:t.Size], set[t.Context-begin:])
			}
		}
		have := make([]byte, p.ValueSize)
		if err := bpfsys.LookupElem(l.maps[p.Name], make([]byte, 4), have); err != nil {
			return failure("check map", p.Name, "check-failed", err)
		}
		if !bytes.Equal(have, want) {
			return mismatch("map", p.Name, "its contents")
		}
	}
	return nil
}
