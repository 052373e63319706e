package loader

import "testing"

// BenchmarkLoad is a load of one map and one program with everything around it.
func BenchmarkLoad(b *testing.B) {
	x := newMini()
	for b.Loop() {
		l, err := load(oldKernel{}, sealedBy(x), Options{KernelVerify: IfAvailable})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
