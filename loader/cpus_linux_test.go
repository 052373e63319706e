package loader

import "testing"

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int32{"0\n": 1, "0-3\n": 4, "0-1,4-7\n": 8, "0,2": 3, "0-8191\n": 8192} {
		if n, err := countCPUs(list); err != nil || n != want {
			t.Errorf("%q: %d, %v", list, n, err)
		}
	}
	for _, list := range []string{"", "\n", "x", "0-", "-1-", "0-8192\n", "0-3\n\n", "0, 1", "99999999999"} {
		if n, err := countCPUs(list); err == nil {
			t.Errorf("%q: %d", list, n)
		}
	}
}
