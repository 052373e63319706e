package buildinfo

import (
	"runtime"
	"testing"
	"time"
)

func TestTheClockIsNeverBeforeTheSources(t *testing.T) {
	date := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct{ now, want time.Time }{
		{time.Unix(0, 0), date},
		{date.Add(-time.Second), date},
		{date, date},
		{date.Add(time.Hour), date.Add(time.Hour)},
	} {
		if got := notBefore(c.now, date); !got.Equal(c.want) {
			t.Errorf("at %v the clock says %v, want %v", c.now, got, c.want)
		}
	}
	if now := time.Now(); !notBefore(now, time.Time{}).Equal(now) {
		t.Error("without a date the clock is not the system's")
	}
}

func TestADateIsANumberOfSeconds(t *testing.T) {
	if got := seconds("1790000000"); !got.Equal(time.Unix(1790000000, 0)) {
		t.Errorf("seconds = %v", got)
	}
	for _, s := range []string{"", "today", "99999999999999999999"} {
		if got := seconds(s); !got.IsZero() {
			t.Errorf("seconds(%q) = %v", s, got)
		}
	}
}

func TestReadSaysWhatIsKnown(t *testing.T) {
	info := Read()
	if info.Version != "devel" || info.Go != runtime.Version() || info.Platform != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("Read = %+v", info)
	}
}
