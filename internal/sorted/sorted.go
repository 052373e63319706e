// Package sorted puts strings in order. It is what the trusted loader has in
// place of package slices' sorts, which are eight functions for each type and
// ten times the size.
package sorted

import (
	"iter"
	"slices"
)

// Strings sorts by bytes, in place, in n log n steps.
func Strings(list []string) {
	for root := len(list)/2 - 1; root >= 0; root-- {
		sink(list, root)
	}
	for end := len(list) - 1; end > 0; end-- {
		list[0], list[end] = list[end], list[0]
		sink(list[:end], 0)
	}
}

// sink restores the heap of which only the root may be smaller than its children.
func sink(heap []string, root int) {
	for {
		child := 2*root + 1
		if child >= len(heap) {
			return
		}
		if child+1 < len(heap) && heap[child+1] > heap[child] {
			child++
		}
		if heap[child] <= heap[root] {
			return
		}
		heap[child], heap[root] = heap[root], heap[child]
		root = child
	}
}

// Collected are the strings of a sequence, sorted.
func Collected(seq iter.Seq[string]) []string {
	list := slices.Collect(seq)
	Strings(list)
	return list
}
