package seal

import (
	"crypto/sha256"
	"hash"
)

// Sizes in bytes, of Follower.
const (
	followFrom = 1 << 20   // smaller files are hashed sooner than a thread wakes
	heldBack   = 256 << 10 // the end of a file, which is its seal
	piece      = 256 << 10 // hashed at a time: it is in the CPU's cache still
)

// Follower hashes a file while it is read, on another CPU where there is one. The
// zero value is for one file.
type Follower struct {
	data chan []byte
	done chan *Beginning
	told int // bytes that were sent
}

// Seen is told what was read of a file up to now, and its expected size. What
// was read must not change, nor be read anew.
func (f *Follower) Seen(data []byte, size int64) {
	if f.data == nil {
		if size < followFrom {
			return
		}
		f.data, f.done = make(chan []byte, size/piece+2), make(chan *Beginning, 1)
		go func() { f.done <- follow(f.data, int(size)-heldBack) }()
	}
	if len(data)-f.told < piece {
		return
	}
	select {
	case f.data <- data:
		f.told = len(data)
	default: // larger than expected: what is left is hashed later
	}
}

// Beginning is what was hashed, nil if nothing was. It waits for the end of it.
func (f *Follower) Beginning() *Beginning {
	if f.data == nil {
		return nil
	}
	close(f.data)
	return <-f.done
}

// Beginning is a hash of the beginning of some memory. Nobody but a Follower
// makes one, and it is worth nothing for other memory.
type Beginning struct {
	data  []byte
	state hash.Hash
}

// follow hashes what comes, up to a limit.
func follow(parts <-chan []byte, limit int) *Beginning {
	b := &Beginning{state: sha256.New()}
	for data := range parts {
		end := min(len(data), limit)
		if end <= len(b.data) || len(b.data) > 0 && &data[0] != &b.data[0] {
			continue // the seal; or it was moved, and then it is hashed later
		}
		b.state.Write(data[len(b.data):end]) // a hash returns no error
		b.data = data[:end]
	}
	return b
}

// Digest is that of an object. What is known of its beginning is not hashed
// again, if it is the same memory. It is used up by that: of a second object
// everything is hashed.
func (b *Beginning) Digest(object []byte) Digest {
	if b == nil || len(b.data) == 0 || len(object) < len(b.data) || &object[0] != &b.data[0] {
		return sha256.Sum256(object)
	}
	b.state.Write(object[len(b.data):]) // a hash returns no error
	b.data = nil
	return Digest(b.state.Sum(nil))
}
