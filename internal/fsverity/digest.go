// Package fsverity computes the digest by which fs-verity names a file, and
// asks a file system for it. The kernel's Documentation/filesystems/fsverity.rst
// specifies it; tbpf uses one form only: SHA-256, blocks of 4096 bytes, no salt.
//
// It guarantees that Digest is what FS_IOC_MEASURE_VERITY tells of a file with
// the same bytes, so that a policy can pin a program by one number whether its
// file system has fs-verity or not.
//
// The trusted loader and the command line import it. It imports nothing of tbpf.
package fsverity

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
)

// Numbers of fsverity_enable_arg and fsverity_descriptor.
const (
	version   = 1
	sha256ID  = 1 // FS_VERITY_HASH_ALG_SHA256
	blockSize = 4096
	logBlock  = 12
)

// maxLevels is enough for every size: each level holds 128 digests in a block.
const maxLevels = 10

// tree is a Merkle tree while it is built: the block of each level that is not
// full yet. Levels begin above the data.
type tree struct {
	block  [maxLevels][blockSize]byte
	filled [maxLevels]int
}

// add puts a digest into a level, and that level's digest into the one above
// when its block is full.
func (t *tree) add(level int, digest [sha256.Size]byte) {
	t.filled[level] += copy(t.block[level][t.filled[level]:], digest[:])
	if t.filled[level] == blockSize {
		t.close(level)
	}
}

// close ends the block of a level, padded with zeros.
func (t *tree) close(level int) {
	clear(t.block[level][t.filled[level]:])
	t.filled[level] = 0
	t.add(level+1, sha256.Sum256(t.block[level][:]))
}

// root ends the tree. The level with a single digest is the end: that digest is
// the root.
func (t *tree) root() [sha256.Size]byte {
	for level := 0; ; level++ {
		if t.filled[level] == sha256.Size && t.emptyAbove(level) {
			return [sha256.Size]byte(t.block[level][:sha256.Size])
		}
		if t.filled[level] > 0 {
			t.close(level)
		}
	}
}

func (t *tree) emptyAbove(level int) bool {
	for _, n := range t.filled[level+1:] {
		if n > 0 {
			return false
		}
	}
	return true
}

// Digest reads a file to its end and returns its fs-verity digest.
func Digest(r io.Reader) ([sha256.Size]byte, error) {
	t := &tree{}
	var size uint64
	var data [blockSize]byte
	for {
		n, err := io.ReadFull(r, data[:])
		if n > 0 {
			clear(data[n:])
			t.add(0, sha256.Sum256(data[:]))
			size += uint64(n)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		if size > 1<<50 {
			return [sha256.Size]byte{}, errors.New("the file has no end")
		}
	}
	// struct fsverity_descriptor
	var descriptor [256]byte
	descriptor[0], descriptor[1], descriptor[2] = version, sha256ID, logBlock
	binary.LittleEndian.PutUint64(descriptor[8:], size)
	if size > 0 {
		root := t.root()
		copy(descriptor[16:], root[:])
	}
	return sha256.Sum256(descriptor[:]), nil
}

// Signed is what fs-verity's built-in signature covers: struct
// fsverity_formatted_digest (include/uapi/linux/fsverity.h).
func Signed(digest [sha256.Size]byte) []byte {
	b := []byte("FSVerity")
	b = binary.LittleEndian.AppendUint16(b, sha256ID)
	b = binary.LittleEndian.AppendUint16(b, sha256.Size)
	return append(b, digest[:]...)
}
