//go:build vmguest

package worker

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/bpfsys"
)

// probed is a worker that does what it should not: after it has prepared
// itself, with or without the filter, the broker tells it what to try.
func probed(filtered bool) error {
	token, err := prepare()
	if err != nil {
		return errors.Join(err, sendFailure(socketFD, err))
	}
	if filtered {
		if err := confine(socketFD); err != nil {
			return err
		}
	}
	if err := send(socketFD, 0, []byte{byte(opReady)}); err != nil {
		return err
	}
	for {
		b, _, err := receive(socketFD, 0)
		if err != nil {
			return err
		}
		name, argument, _ := strings.Cut(string(b), " ")
		n, _ := strconv.Atoi(argument)
		answer := "ok"
		if err := probes[name](token, n); err != nil {
			answer = err.Error()
		}
		if err := send(socketFD, 0, []byte(answer)); err != nil {
			return err
		}
	}
}

// probe has the worker try one thing, and returns its answer.
func (w *Worker) probe(name string) (string, error) {
	if err := w.send(w.deadline(), []byte(name)); err != nil {
		return "", err
	}
	b, _, err := w.receive(w.deadline())
	return string(b), err
}

func createMap(typ bpfabi.MapType) func(*bpfsys.FD, int) error {
	return func(token *bpfsys.FD, _ int) error {
		m, err := bpfsys.CreateMap(bpfsys.MapSpec{Name: "probe", Type: typ, KeySize: 4, ValueSize: 8, MaxEntries: 1, Token: token})
		return errors.Join(err, m.Close())
	}
}

func loadProgram(typ bpfabi.ProgramType) func(*bpfsys.FD, int) error {
	return func(token *bpfsys.FD, _ int) error {
		spec := bpfsys.ProgramSpec{
			Name: "probe", Type: typ, License: "GPL", Token: token,
			Instructions: []byte{0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}, // r0 = 0; exit
		}
		if typ == bpfabi.ProgramSyscall {
			spec.Flags = bpfabi.ProgramFlagSleepable
		}
		prog, err := bpfsys.LoadProgram(spec)
		return errors.Join(err, prog.Close())
	}
}

var probes = map[string]func(token *bpfsys.FD, n int) error{
	"array":   createMap(bpfabi.MapArray),
	"hash":    createMap(bpfabi.MapHash),
	"syscall": loadProgram(bpfabi.ProgramSyscall),
	"xdp":     loadProgram(bpfabi.ProgramXDP),
	"masks": func(token *bpfsys.FD, _ int) error {
		info, err := bpfsys.GetTokenInfo(token)
		if err != nil {
			return err
		}
		return fmt.Errorf("%+v", masks{info.Commands, info.Maps, info.Programs, info.AttachTypes})
	},
	"threads": func(_ *bpfsys.FD, n int) error {
		started := make(chan bool)
		for range n {
			go func() {
				runtime.LockOSThread()
				started <- true
				select {} // not a timer: those are what the network poller waits for
			}()
		}
		for range n {
			<-started
		}
		return nil
	},
	// A collection would have the runtime's scavenger start timers, and so the
	// network poller, which the filter does not allow.
	"allocate": func(*bpfsys.FD, int) error {
		for range 256 {
			garbage = make([]byte, 1<<20)
		}
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return fmt.Errorf("%d collections", stats.NumGC)
	},
	"open": func(*bpfsys.FD, int) error {
		_, err := unix.Open("/proc/self/status", unix.O_RDONLY, 0)
		return err
	},
	"root": func(*bpfsys.FD, int) error {
		entries, err := os.ReadDir("/")
		return errors.Join(err, fmt.Errorf("%d entries", len(entries)))
	},
	"socket": func(*bpfsys.FD, int) error {
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		return err
	},
	"fork": func(*bpfsys.FD, int) error {
		_, err := os.StartProcess("/proc/self/exe", []string{"other"}, &os.ProcAttr{})
		return err
	},
	"execute": func(*bpfsys.FD, int) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		return err
	},
	"capset": func(*bpfsys.FD, int) error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{{Permitted: 1 << unix.CAP_SYS_ADMIN, Effective: 1 << unix.CAP_SYS_ADMIN}}
		return unix.Capset(&header, &data[0])
	},
	"dumpable": func(*bpfsys.FD, int) error {
		n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		return errors.Join(err, fmt.Errorf("%d", n))
	},
	"capget": func(*bpfsys.FD, int) error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			return err
		}
		return fmt.Errorf("%x %x %x", uint64(data[1].Permitted)<<32|uint64(data[0].Permitted),
			uint64(data[1].Effective)<<32|uint64(data[0].Effective), uint64(data[1].Inheritable)<<32|uint64(data[0].Inheritable))
	},
	"add-key":              addKey,
	"add-key-other-thread": onOtherThread(addKey),
	"read-ring":            readRing,
	"read-session": onOtherThread(func(*bpfsys.FD, int) error {
		return readRing(nil, unix.KEY_SPEC_SESSION_KEYRING)
	}),
	"set-permissions": onOtherThread(func(_ *bpfsys.FD, ring int) error { return unix.KeyctlSetperm(ring, 0x3f3f3f3f) }),
}

var garbage []byte

func addKey(_ *bpfsys.FD, ring int) error {
	_, err := unix.AddKey("user", "probe", []byte("x"), ring)
	return err
}

func readRing(_ *bpfsys.FD, ring int) error {
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, ring, make([]byte, 64), 0)
	return errors.Join(err, fmt.Errorf("%d bytes", n))
}

// onOtherThread does it on one of the threads that do not load.
func onOtherThread(f func(*bpfsys.FD, int) error) func(*bpfsys.FD, int) error {
	return func(token *bpfsys.FD, n int) error {
		result := make(chan error)
		go func() { result <- f(token, n) }()
		return <-result
	}
}

// small is an object that needs little.
func small() Spec {
	var s Spec
	s.Delegation.Commands = []string{"map_create", "prog_load"}
	s.Delegation.Maps = []string{"array"}
	s.Delegation.Programs = []string{"syscall"}
	s.Delegation.AttachTypes = []string{"cgroup_inet_ingress"}
	s.Capabilities = []string{"CAP_BPF", "CAP_PERFMON"}
	s.Timeout = 30 * time.Second
	return s
}

const smallCapabilities = "000000c000000000"
