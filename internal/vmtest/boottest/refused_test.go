//go:build vmguest

package boottest

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/record"
)

func TestWhatADamagedObjectMeans(t *testing.T) {
	for _, c := range []struct {
		importance string
		policy     string
		code       int
		ready      bool
		stays      []string
	}{
		{"optional", "", 30, true, []string{"fileguard", "ringbuf"}},
		{"required", "", 31, false, []string{"fileguard", "ringbuf"}},
		{"required", "on-required-failure = \"take-down\"\n", 31, false, nil},
		{"critical", "", 31, false, nil},
		{"critical", "on-critical-failure = \"leave\"\n", 31, false, []string{"fileguard"}},
	} {
		t.Run(c.importance+strings.ReplaceAll(c.policy, "\n", " "), func(t *testing.T) {
			machine(t)
			policy(t, "", c.policy)
			object(t, 10, "fileguard-1", "fileguard", `importance = "critical"`)
			damage(t, object(t, 20, "multi-1", "multi", "importance = \""+c.importance+"\""))
			object(t, 30, "ringbuf-1", "ringbuf")
			r := boot(t)
			r.want(t, c.code, c.ready, "multi: failed")
			if len(r.notified) != 1 || !strings.Contains(r.notified[0], "failed: multi ("+c.importance+")") {
				t.Errorf("notified %q", r.notified)
			}
			for _, name := range []string{"fileguard", "multi", "ringbuf"} {
				_, err := os.Stat(pinDir + "/" + name)
				stays := strings.Contains(strings.Join(c.stays, " "), name)
				if (err == nil) != stays || (recordOf(t, name) != nil) != stays {
					t.Errorf("%s: %v, recorded %v", name, err, recordOf(t, name) != nil)
				}
			}
		})
	}
}

// Each of these refuses everything, before the first object.
func TestWhatRefusesAWholeSet(t *testing.T) {
	for what, c := range map[string]struct {
		spoil func()
		code  int
		text  string
	}{
		"no policy":              {func() { must(t, os.Remove(policyPath)) }, 16, "there is no policy"},
		"an unknown policy key":  {func() { put(t, policyPath, []byte("[gates]\n")) }, 16, "unknown key"},
		"a writable policy":      {func() { must(t, os.Chmod(policyPath, 0o666)) }, 16, "may write to it"},
		"a writable directory":   {func() { must(t, os.Chmod("/etc/tbpf", 0o777)) }, 16, "may write to it"},
		"a keyring of a user":    {func() { must(t, os.Chown(keyringDir, 1000, 0)) }, 31, "belongs to user 1000"},
		"a key of a user":        {func() { must(t, os.Chown(keyringDir+"/suite.crt", 1000, 0)) }, 31, "belongs to user 1000"},
		"a linked keyring":       {func() { replaceByLink(t, keyringDir) }, 31, "symbolic link"},
		"a linked boot set":      {func() { replaceByLink(t, bootDir) }, 31, "symbolic link"},
		"a file of a user":       {func() { must(t, os.Chown(bootDir+"/10-ringbuf.toml", 1000, 0)) }, 31, "belongs to user 1000"},
		"a file with other name": {func() { put(t, bootDir+"/README", nil) }, 31, "names have the form"},
		"an unknown key":         {func() { put(t, bootDir+"/20-x.toml", []byte("files = 1\n")) }, 31, "unknown key"},
		"a value that is none":   {func() { put(t, bootDir+"/20-x.toml", []byte("[set]\na = []\n")) }, 31, "has no value"},
		"a damaged floor":        {func() { put(t, floorPath, []byte("tbpf-floor/1\ntime 1\n")) }, 15, "cut short"},
		"a floor of a user":      {func() { put(t, floorPath, nil); must(t, os.Chown(floorPath, 1000, 0)) }, 15, "belongs to user 1000"},
		"no floor, required":     {func() { put(t, policyPath, []byte("[rollback]\nstate = \"required\"\n")) }, 15, "requires a rollback floor"},
	} {
		t.Run(what, func(t *testing.T) {
			machine(t)
			object(t, 10, "ringbuf-1", "ringbuf")
			c.spoil()
			r := boot(t)
			r.want(t, c.code, false, c.text)
			if len(r.notified) != 1 || !strings.HasPrefix(r.notified[0], "STATUS=nothing was loaded") {
				t.Errorf("notified %q", r.notified)
			}
			if _, err := os.Stat(pinDir + "/ringbuf"); err == nil {
				t.Error("it was loaded")
			}
		})
	}
}

// replaceByLink puts a symbolic link in the place of a directory.
func replaceByLink(t *testing.T, dir string) {
	t.Helper()
	must(t, os.Rename(dir, dir+".real"))
	must(t, os.Symlink(dir+".real", dir))
}

func TestObjectsThatOthersCouldWriteAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(file string){
		"writable": func(file string) { must(t, os.Chmod(file, 0o666)) },
		"a FIFO":   func(file string) { must(t, os.Remove(file)); must(t, unix.Mkfifo(file, 0o644)) },
		"missing":  func(file string) { must(t, os.Remove(file)) },
		"a link":   func(file string) { must(t, os.Rename(file, file+"x")); must(t, os.Symlink(file+"x", file)) },
	} {
		t.Run(what, func(t *testing.T) {
			machine(t)
			spoil(object(t, 10, "ringbuf-1", "ringbuf"))
			boot(t).want(t, 31, false, "ringbuf: failed")
		})
	}
	machine(t)
	object(t, 10, "ringbuf-stranger", "ringbuf")
	boot(t).want(t, 31, false, "keyring.d")
	put(t, bootDir+"/10-ringbuf.toml", []byte(strings.ReplaceAll(string(read(t, bootDir+"/10-ringbuf.toml")), `"ringbuf"`, `"other"`)))
	put(t, objectDir+"/ringbuf.bpf.tbpf", read(t, "boot/ringbuf-1.tbpf"))
	boot(t).want(t, 31, false, `the object in it is "ringbuf" and not "other"`)
}

func TestTokensWhereThePolicyWantsThem(t *testing.T) {
	machine(t)
	object(t, 10, "ringbuf-1", "ringbuf")
	policy(t, "token = \"never\"\n", "")
	boot(t).want(t, 0, true)
	if recordOf(t, "ringbuf").Token {
		t.Error("a token, with never")
	}
	policy(t, "token = \"required\"\n", "")
	if !tokens() {
		boot(t).want(t, 31, false, "does not have")
		return
	}
	boot(t).want(t, 0, true, "ringbuf: replaced") // it was not loaded as strictly as it has to be
	if !recordOf(t, "ringbuf").Token {
		t.Error("no token, with required")
	}
}

// The environment of a caller does not reach the loader (A33). It is looked at
// while it waits for another one.
func TestTheEnvironmentIsPurged(t *testing.T) {
	machine(t)
	must(t, os.MkdirAll(record.Path, 0o700))
	lock, err := os.Open(record.Path)
	must(t, err)
	defer lock.Close()
	must(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	for _, keep := range []string{"", "NOTIFY_SOCKET=@tbpf-nobody"} {
		cmd := exec.Command("/bin/tbpf-loader", "boot")
		cmd.Env = []string{"GODEBUG=x509sha1=1", "GOGC=1", "GOTRACEBACK=crash", "SSL_CERT_FILE=/tmp/x", "LD_PRELOAD=/tmp/x.so", "LD_LIBRARY_PATH=/tmp", "TMPDIR=/x", "PATH=/x", "NOTIFY_SOCKETS=1"}
		if keep != "" {
			cmd.Env = append(cmd.Env, keep)
		}
		inherited, err := os.Open("/etc")
		must(t, err)
		cmd.ExtraFiles = []*os.File{inherited}
		must(t, cmd.Start())
		dir := "/proc/" + strconv.Itoa(cmd.Process.Pid)
		var found string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if found = inherits(t, dir, keep); found == "" {
				break
			}
		}
		if found != "" {
			t.Errorf("it has %s", found)
		}
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		must(t, inherited.Close())
	}
}

// inherits tells what a process has of its caller's besides one variable.
func inherits(t *testing.T, dir, keep string) string {
	t.Helper()
	if environment := string(bytes.TrimRight(read(t, dir+"/environ"), "\x00")); environment != keep {
		return environment
	}
	for _, fd := range []string{"3", "4", "5"} {
		if target, _ := os.Readlink(dir + "/fd/" + fd); target == "/etc" {
			return "descriptor " + fd
		}
	}
	return ""
}
