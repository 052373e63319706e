package gate

import (
	"fmt"
	"strings"
	"testing"
)

// The list is of those who lacked a signature and nothing else: an entry for
// what a gate refuses for another reason would open it.
func TestLearnTakesOnlyWhatHadNoSignature(t *testing.T) {
	event := func(exe, name string, inode uint64, d Decision, r Reason, flags uint8) Event {
		return Event{Exe: exe, Name: name, ExeInode: inode, ExeDevice: 1, Decision: d, Reason: r, Flags: flags}
	}
	got := Learn([]Event{
		event("/usr/lib/systemd/systemd", "sd_fw_egress", 7, Audited, ReasonUnsigned, 0),
		event("/usr/lib/systemd/systemd", "sd_fw_egress", 7, Refused, ReasonNotLoader, 0),
		event("/usr/lib/systemd/systemd", "sd_devices", 7, Audited, ReasonUnsigned, 0),
		event("/usr/lib/systemd/systemd", "other", 8, Audited, ReasonUnsigned, 0), // replaced meanwhile
		event("/bin/a", "x", 9, Passed, ReasonSigned, 0),
		event("/bin/a", "x", 9, Audited, ReasonKeyring, 0),
		event("/bin/a", "x", 9, Audited, ReasonUncovered, 0),
		event("/bin/a", "x", 9, Audited, ReasonNoSignature, 0),
		event("/bin/a", "x", 9, Audited, ReasonNotNested, FromKernel),
		event("/bin/a", "x", 9, Audited, ReasonUnsigned, FromKernel),
		event("/bin/a", "x", 9, Refused, ReasonItsPin, 0),
		event("/"+strings.Repeat("x", 200)[:134], "cut", 10, Audited, ReasonUnsigned, 0),
		event("", "nameless", 11, Audited, ReasonUnsigned, 0),
	})
	want := "[{ {10 1} 1 [cut]} { {11 1} 1 [nameless]} {/usr/lib/systemd/systemd {7 1} 3 [sd_devices sd_fw_egress]} {/usr/lib/systemd/systemd {8 1} 1 [other]}]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nwant %s", got, want)
	}
}
