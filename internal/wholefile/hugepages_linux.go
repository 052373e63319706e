package wholefile

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePages asks for large pages for the contents of a large file: without, a
// third of the time of reading and hashing it goes into faults of small ones.
func hugePages(b []byte) {
	const page, least = 2 << 20, 4 << 20
	if len(b) < least {
		return
	}
	// Whole huge pages only, so that nothing else changes.
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % page
	b = b[skip:]
	_ = unix.Madvise(b[:len(b)/page*page], unix.MADV_HUGEPAGE) // a kernel without them has nothing to say
}
