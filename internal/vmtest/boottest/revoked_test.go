//go:build vmguest

package boottest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const revokedList = "/etc/tbpf/revoked.d/fleet.revoked"

// A list that was seen stays in force: an older one, another file in its place
// and none at all refuse everything (A20).
func TestRevokedObjectsAreNotLoaded(t *testing.T) {
	machine(t)
	file := object(t, 10, "ringbuf-1", "ringbuf")
	put(t, revokedList, read(t, "lists/fleet-1.revoked"))
	boot(t).want(t, 0, true)
	remembers := func(serial string) {
		t.Helper()
		if !strings.Contains(string(read(t, floorPath)), "\nlist fleet "+serial+" ") {
			t.Errorf("list %s is not remembered:\n%s", serial, read(t, floorPath))
		}
	}
	remembers("1")

	put(t, revokedList, read(t, "lists/fleet-2.revoked"))
	boot(t).want(t, 31, false, `versions of "ringbuf" below 2 are revoked`)
	remembers("2")
	loader(t, "load", file).want(t, 14, false, `versions of "ringbuf" below 2 are revoked`)
	out, err := exec.Command("/bin/tbpf", "load", file, "--pin", "/sys/fs/bpf/other").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 14 || strings.Contains(string(out), "loaded") {
		t.Errorf("tbpf load: %v\n%s", err, out)
	}

	put(t, revokedList, read(t, "lists/fleet-1.revoked"))
	loader(t, "load", file).want(t, 14, false, "and 2 was seen on this machine")
	must(t, os.Remove(revokedList))
	loader(t, "load", file).want(t, 14, false, `list "fleet" is gone`)
	remembers("2")
	put(t, revokedList, read(t, "lists/fleet-2.revoked"))
	damage(t, revokedList)
	loader(t, "load", file).want(t, 14, false, "fleet.revoked")

	// The version that follows is good, whatever was refused before.
	put(t, revokedList, read(t, "lists/fleet-3.revoked"))
	loader(t, "load", file).want(t, 0, false)
}

func TestListsThatOthersCouldWriteAreRefused(t *testing.T) {
	machine(t)
	file := object(t, 10, "ringbuf-1", "ringbuf")
	put(t, revokedList, read(t, "lists/fleet-1.revoked"))
	for what, c := range map[string]struct {
		spoil, mend func() error
		text        string
	}{
		"a writable list":      {func() error { return os.Chmod(revokedList, 0o666) }, func() error { return os.Chmod(revokedList, 0o644) }, "may write to it"},
		"a list of a user":     {func() error { return os.Chown(revokedList, 1000, 0) }, func() error { return os.Chown(revokedList, 0, 0) }, "belongs to user 1000"},
		"something else there": {func() error { return os.WriteFile(revokedList+".bak", nil, 0o644) }, func() error { return os.Remove(revokedList + ".bak") }, "fleet.revoked.bak"},
	} {
		must(t, c.spoil())
		r := loader(t, "load", file)
		if r.code != 14 || !strings.Contains(r.stderr, c.text) {
			t.Errorf("%s: %v", what, r)
		}
		must(t, c.mend())
	}
	put(t, "/etc/tbpf/revoked.d/.editor", nil)
	loader(t, "load", file).want(t, 0, false)
	must(t, os.Remove(revokedList))
	must(t, os.Remove(floorPath))
	policy(t, "", "[revocation]\nrequired = true\n")
	loader(t, "load", file).want(t, 14, false, "requires a revocation list")
}

// A machine that has a CA in its keyring, and no signer, loads what the CA's
// signers signed; its kernel is given the signer's certificate.
func TestACAOfTheMachineStandsForItsSigners(t *testing.T) {
	machine(t)
	must(t, os.Remove(keyringDir+"/suite.crt"))
	object(t, 10, "ringbuf-issued", "ringbuf")
	r := boot(t)
	if r.code != 31 || !strings.Contains(r.stdout+r.stderr, "no signature is by a key of the keyring") {
		t.Fatalf("without the CA: %v", r)
	}
	put(t, keyringDir+"/root.crt", read(t, "keys/root.crt"))
	boot(t).want(t, 0, true)
	o := recordOf(t, "ringbuf")
	if o == nil || len(o.Signers) != 1 || o.Signers[0].Subject != "CN=issued" || o.KernelVerified != signatures() {
		t.Errorf("recorded: %+v", o)
	}
	// The second run finds it in place.
	boot(t).want(t, 0, true, "unchanged")
}
