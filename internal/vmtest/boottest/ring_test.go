//go:build vmguest

package boottest

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/record"
	"github.com/trustedbpf/tbpf/keys"
)

// holderPath is where the file system is mounted that holds the boot's keyring.
const holderPath = "/sys/fs/bpf/tbpf-keyring"

// ring is what is recorded of the boot's keyring.
func ring(t *testing.T) *record.Ring {
	t.Helper()
	store, err := record.Open()
	must(t, err)
	defer store.Close()
	r, err := store.ReadRing()
	must(t, err)
	return r
}

// describe is what the kernel says of a key, empty if it has none with that
// serial number.
func describe(serial int32) string {
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, int(serial))
	if err != nil {
		return ""
	}
	return text
}

// needRing ends a test where the kernel checks no signatures, after a look that
// no keyring was made.
func needRing(t *testing.T) {
	t.Helper()
	if signatures() {
		return
	}
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	boot(t).want(t, 0, true)
	if r := ring(t); r != nil {
		t.Errorf("a keyring that nobody asks was made: %+v", r)
	}
	t.Skip("this kernel checks no signatures")
}

// Every object of a boot, in every run, is checked against one keyring, which
// stays when the loader has ended.
func TestOneKeyringForTheBoot(t *testing.T) {
	needRing(t)
	machine(t)
	names := wholeSet(t)
	boot(t).want(t, 0, true)
	first := ring(t)
	if first == nil || first.Serial <= 2 || first.Boot != recordOf(t, names[0]).Boot {
		t.Fatalf("the ring's record: %+v", first)
	}
	if got, want := describe(first.Serial), "keyring;0;0;08030000;"+first.Description; got != want {
		t.Errorf("the ring is %q, want %q", got, want)
	}
	for _, name := range names {
		if o := recordOf(t, name); o.Keyring != "boot" || o.Serial != first.Serial {
			t.Errorf("%s was checked against %s %d, not %d", name, o.Keyring, o.Serial, first.Serial)
		}
	}
	file := object(t, 60, "fileguard-2", "fileguard")
	must(t, os.Remove(bootDir+"/60-fileguard.toml"))
	loader(t, "load", file).want(t, 0, false, "version 2: replaced")
	if o := recordOf(t, "fileguard"); o.Serial != first.Serial {
		t.Errorf("a later run used ring %d, not %d", o.Serial, first.Serial)
	}
	buf := make([]byte, 64)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, int(first.Serial), buf, 0)
	if err != nil || n != 4 {
		t.Errorf("it holds %d bytes of keys: %v", n, err)
	}
}

// A29: root itself, who possesses nothing of it, can take nothing out of the
// ring, put nothing into it, nor end it.
func TestRootCannotChangeTheBootsKeyring(t *testing.T) {
	needRing(t)
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	boot(t).want(t, 0, true)
	first := ring(t)
	serial := int(first.Serial)
	buf := make([]byte, 4)
	_, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, buf, 0)
	must(t, err)
	key := int(int32(buf[0]) | int32(buf[1])<<8 | int32(buf[2])<<16 | int32(buf[3])<<24)
	block, _ := pem.Decode(read(t, "keys/suite.crt"))
	der := block.Bytes
	done := make(chan struct{})
	go func() { // not the goroutine of the test: the thread gets another session keyring
		defer close(done)
		runtime.LockOSThread()
		if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
			t.Error(err)
			return
		}
		for what, try := range map[string]func() error{
			"add":              func() error { _, err := unix.AddKey("asymmetric", "evil", der, serial); return err },
			"add another kind": func() error { _, err := unix.AddKey("user", "evil", []byte("x"), serial); return err },
			"clear":            func() error { _, err := unix.KeyctlInt(unix.KEYCTL_CLEAR, serial, 0, 0, 0); return err },
			"revoke":           func() error { _, err := unix.KeyctlInt(unix.KEYCTL_REVOKE, serial, 0, 0, 0); return err },
			"invalidate":       func() error { _, err := unix.KeyctlInt(unix.KEYCTL_INVALIDATE, serial, 0, 0, 0); return err },
			"time-out":         func() error { _, err := unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, serial, 1, 0, 0); return err },
			"permissions":      func() error { return unix.KeyctlSetperm(serial, 0x3f3f3f3f) },
			"owner":            func() error { _, err := unix.KeyctlInt(unix.KEYCTL_CHOWN, serial, 1, 1, 0); return err },
			"link": func() error {
				_, err := unix.KeyctlInt(unix.KEYCTL_LINK, serial, unix.KEY_SPEC_SESSION_KEYRING, 0, 0)
				return err
			},
			"link into": func() error {
				_, err := unix.KeyctlInt(unix.KEYCTL_LINK, unix.KEY_SPEC_SESSION_KEYRING, serial, 0, 0)
				return err
			},
			"unlink":           func() error { _, err := unix.KeyctlInt(unix.KEYCTL_UNLINK, key, serial, 0, 0); return err },
			"restrict anew":    func() error { _, err := unix.KeyctlInt(unix.KEYCTL_RESTRICT_KEYRING, serial, 0, 0, 0); return err },
			"revoke a key":     func() error { _, err := unix.KeyctlInt(unix.KEYCTL_REVOKE, key, 0, 0, 0); return err },
			"invalidate a key": func() error { _, err := unix.KeyctlInt(unix.KEYCTL_INVALIDATE, key, 0, 0, 0); return err },
			"expire a key":     func() error { _, err := unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, key, 1, 0, 0); return err },
			"update a key": func() error {
				_, err := unix.KeyctlBuffer(unix.KEYCTL_UPDATE, key, der, 0)
				return err
			},
		} {
			if err := try(); err == nil {
				t.Errorf("%s: it was done", what)
			}
		}
		for _, id := range []int{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING, unix.KEY_SPEC_SESSION_KEYRING} {
			if _, err := unix.KeyctlInt(unix.KEYCTL_CLEAR, id, 0, 0, 0); err != nil && err != unix.ENOKEY {
				t.Errorf("clear %d: %v", id, err)
			}
		}
	}()
	<-done
	time.Sleep(2 * time.Second) // the kernel collects dead keys now and then
	if describe(first.Serial) == "" {
		t.Fatal("the ring is gone")
	}
	machineKeeps(t, first)
}

// machineKeeps loads another object, and expects the same ring.
func machineKeeps(t *testing.T, first *record.Ring) {
	t.Helper()
	object(t, 20, "multi-1", "multi")
	boot(t).want(t, 0, true, "multi: loaded")
	if o := recordOf(t, "multi"); o.Keyring != "boot" || o.Serial != first.Serial {
		t.Errorf("it was checked against %s %d, not %d", o.Keyring, o.Serial, first.Serial)
	}
}

// A29: what is recorded is not believed. A keyring that is gone, another one
// under its number, or one with the right name that could still be changed, is
// not used.
func TestAnotherKeyringIsNotTheBoots(t *testing.T) {
	needRing(t)
	for what, spoil := range map[string]func(r *record.Ring){
		"the number of a keyring of another name": func(r *record.Ring) {
			r.Serial = newKeyring(t, "evil", 0x08030000)
		},
		"the number of a keyring of that name that is open": func(r *record.Ring) {
			r.Serial = newKeyring(t, r.Description, 0x3f3f0000)
		},
		"the number of nothing": func(r *record.Ring) {
			must(t, unix.Unmount(holderPath, unix.MNT_DETACH))
			for describe(r.Serial) != "" {
				time.Sleep(50 * time.Millisecond)
			}
		},
		"another boot":         func(r *record.Ring) { r.Boot = "another" },
		"other certificates":   func(r *record.Ring) { r.Description = "tbpf:00" },
		"the kernel's builtin": func(r *record.Ring) { r.Serial = 1 },
	} {
		t.Run(what, func(t *testing.T) {
			machine(t)
			object(t, 10, "ringbuf-1", "ringbuf")
			boot(t).want(t, 0, true)
			before := ring(t)
			other := *before
			spoil(&other)
			must(t, os.WriteFile(record.Path+"/"+record.RingFile, other.Encode(), 0o600))
			object(t, 20, "multi-1", "multi")
			boot(t).want(t, 0, true, "multi: loaded")
			now := ring(t)
			if now.Serial == other.Serial || now.Description != before.Description || recordOf(t, "multi").Serial != now.Serial {
				t.Errorf("before %+v, spoilt %+v, now %+v", before, other, now)
			}
			// One file system holds one keyring: the one before went.
			if n := mounts(t, holderPath); n != 1 {
				t.Errorf("%d file systems are mounted on %s", n, holderPath)
			}
		})
	}
}

// newKeyring makes a keyring of root's in its session keyring, which the kernel
// makes for a thread that has none: permissions are the same thread's to set.
func newKeyring(t *testing.T, description string, mask uint32) int32 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	serial, err := unix.AddKey("keyring", description, nil, unix.KEY_SPEC_SESSION_KEYRING)
	must(t, err)
	must(t, unix.KeyctlSetperm(serial, mask))
	t.Cleanup(func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, serial, unix.KEY_SPEC_SESSION_KEYRING, 0, 0) })
	return int32(serial)
}

func mounts(t *testing.T, path string) int {
	t.Helper()
	return strings.Count(string(read(t, "/proc/self/mounts")), " "+path+" ")
}

// Another certificate makes another keyring; so does one less. The old one goes.
func TestTheKeyringFollowsTheCertificates(t *testing.T) {
	needRing(t)
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	boot(t).want(t, 0, true)
	first := ring(t)
	out, err := exec.Command("/bin/tbpf", "keygen", "--name", "other", "--no-password", "--out", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dir := t.TempDir()
	out, err = exec.Command("/bin/tbpf", "keygen", "--name", "manifests", "--algorithm", "ed25519", "--no-password", "--out", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The kernel takes no Ed25519: it is no reason for another keyring.
	put(t, keyringDir+"/manifests.crt", read(t, dir+"/manifests.crt"))
	machineKeeps(t, first)
	out, err = exec.Command("/bin/tbpf", "keygen", "--name", "second", "--no-password", "--out", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	put(t, keyringDir+"/second.crt", read(t, dir+"/second.crt"))
	file := object(t, 30, "fileguard-1", "fileguard")
	loader(t, "load", file).want(t, 0, false)
	second := ring(t)
	if second.Serial == first.Serial || recordOf(t, "fileguard").Serial != second.Serial {
		t.Errorf("%+v, then %+v", first, second)
	}
	buf := make([]byte, 64)
	if n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, int(second.Serial), buf, 0); err != nil || n != 8 {
		t.Errorf("it holds %d bytes of keys: %v", n, err)
	}
	for end := time.Now().Add(10 * time.Second); describe(first.Serial) != ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the old one is still there: %s", describe(first.Serial))
		}
	}
}

// A20: what the trusted loader itself would refuse, the kernel is not to take from
// another loader.
func TestARevokedKeyIsNotInTheKeyring(t *testing.T) {
	needRing(t)
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	dir := t.TempDir()
	tbpf := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("/bin/tbpf", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, name := range []string{"security", "leaked"} {
		tbpf("keygen", "--name", name, "--no-password", "--out", dir)
		put(t, keyringDir+"/"+name+".crt", read(t, dir+"/"+name+".crt"))
	}
	leaked, err := keys.LoadKeyring([]string{dir + "/leaked.crt"})
	must(t, err)
	tbpf("revoke", dir+"/list", "--key", dir+"/security.key", "--key-id", leaked.Keys()[0].ID.String())
	put(t, "/etc/tbpf/revoked.d/list", read(t, dir+"/list"))
	boot(t).want(t, 0, true)
	buf := make([]byte, 64)
	if n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, int(ring(t).Serial), buf, 0); err != nil || n != 8 {
		t.Errorf("of three keys, one revoked, it holds %d bytes: %v", n, err)
	}
}

// A29: a program of root's own, signed by a key in its own session keyring, is
// not what the boot's keyring takes.
func TestTheBootsKeyringTakesNoStranger(t *testing.T) {
	needRing(t)
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	boot(t).want(t, 0, true)
	number := fmt.Sprint(ring(t).Serial)
	run := func(sealed, keyring string) (int, string) {
		cmd := exec.Command("/bin/tbpf", "load", "boot/"+sealed+".tbpf", "--keyring", "keys/"+keyring+".crt", "--kernel-keyring", number, "--pin", "/sys/fs/bpf/try")
		out, err := cmd.CombinedOutput()
		if err == nil {
			_ = exec.Command("/bin/tbpf", "unload", "ringbuf", "--pin", "/sys/fs/bpf/try").Run()
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := run("ringbuf-1", "suite"); code != 0 {
		t.Errorf("a trusted signer's object: %d, %s", code, out)
	}
	if code, out := run("ringbuf-stranger", "stranger"); code != 20 {
		t.Errorf("a stranger's object: %d, %s", code, out)
	}
}
