package bench

import "testing"

func TestPeakMemoryIsOfTheProcessAlone(t *testing.T) {
	keep := make([]byte, 64<<20)
	for i := range keep {
		keep[i] = 1
	}
	p := shell("small", ":")
	small, err := p.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	if small < 100<<10 || small > 16<<20 {
		t.Errorf("a shell that does nothing had %d bytes", small)
	}
	p = shell("large", "x=$(head -c 20000000 /dev/zero | tr '\\0' x); :")
	large, err := p.PeakMemory()
	if err != nil || large < small+20_000_000 {
		t.Errorf("a shell that holds 20 MB had %d bytes, %v", large, err)
	}
	if keep[len(keep)-1] != 1 {
		t.Error("unreachable: it keeps the memory alive")
	}
}

func TestPeakMemoryOfWhatFailsIsAnError(t *testing.T) {
	for _, script := range []string{"exit 1", "kill -9 $$"} {
		p := shell("p", script)
		if n, err := p.PeakMemory(); err == nil {
			t.Errorf("%s: %d bytes", script, n)
		}
	}
}
