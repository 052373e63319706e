package seal

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// However much was read at a time, the digest is that of the object.
func TestFollowerHashesWhatIsThere(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	for _, size := range []int{0, 1, followFrom - 1, followFrom, followFrom + 1, 3*piece + followFrom + 5} {
		file := make([]byte, size)
		random.Read(file)
		for _, step := range []int{1 << 10, piece - 1, piece, piece + 1, size + 1} {
			for _, expected := range []int{size, size / 2, size * 2, followFrom} {
				var f Follower
				for n := 0; n < size; {
					n = min(n+step, size)
					f.Seen(file[:n], int64(expected))
				}
				made := f.Beginning()
				for _, object := range [][]byte{file, file[:size/2], file[:max(size-100<<10, 0)], file[:max(size-heldBack, 0)], file[size/3:]} {
					b := again(made)
					if b.Digest(object) != sha256.Sum256(object) {
						t.Fatalf("size %d, step %d, expected %d: wrong digest of %d bytes", size, step, expected, len(object))
					}
				}
			}
		}
	}
}

// What was hashed counts for that memory and for no other, whatever is in it.
func TestBeginningIsOfOneMemory(t *testing.T) {
	file := make([]byte, 2*followFrom)
	var f Follower
	f.Seen(file, int64(len(file)))
	b := f.Beginning()
	if len(b.data) != len(file)-heldBack {
		t.Fatalf("%d bytes were hashed", len(b.data))
	}
	other := bytes.Clone(file)
	other[7] = 1
	if b.Digest(other) != sha256.Sum256(other) {
		t.Error("other memory has the digest of the file")
	}
	if b.Digest(file) != sha256.Sum256(file) || b.data != nil || b.Digest(file) != sha256.Sum256(file) {
		t.Error("what was hashed counts not once")
	}
	if b.Digest(nil) != sha256.Sum256(nil) {
		t.Error("nothing has the digest of the file")
	}
}

// A reader that had to move what it read is not mistaken for one that did not.
func TestFollowerOfMemoryThatMoves(t *testing.T) {
	file := bytes.Repeat([]byte{3}, 2*followFrom)
	var f Follower
	f.Seen(file[:followFrom], int64(len(file)))
	moved := bytes.Clone(file)
	moved[9] = 4
	f.Seen(moved, int64(len(file)))
	b := f.Beginning()
	for _, object := range [][]byte{file, moved} {
		if b.Digest(object) != sha256.Sum256(object) {
			t.Error("wrong digest")
		}
	}
}

// again is the beginning as it was made, for one more digest.
func again(b *Beginning) *Beginning {
	if b == nil {
		return nil
	}
	copied := &Beginning{data: b.data, state: sha256.New()}
	copied.state.Write(b.data)
	return copied
}
