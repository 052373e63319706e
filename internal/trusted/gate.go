//go:build linux

package trusted

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/trustedbpf/tbpf/gate"
	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/policy"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// stateDigest is what the gate remembers of what a loader decides by: the
// policy's text, the keys and certificates of the keyring, the revocation lists.
func stateDigest(rules []byte, ring *keys.Keyring, lists []verify.RevocationFile) gate.Digest {
	h := sha256.New()
	add := func(b []byte) { // h never fails
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	add(rules)
	for _, key := range ring.Keys() {
		add([]byte(key.ID.String()))
		for _, cert := range key.Certificates {
			add(cert.Raw)
		}
	}
	for _, cert := range ring.CAs() {
		add(cert.Raw)
	}
	add([]byte("revoked"))
	for _, list := range lists {
		add([]byte(list.Path))
		add(list.Data)
	}
	return gate.Digest(h.Sum(nil))
}

// Gate sees to it that the gate is on, as the policy asks, and returns its
// mode: NotArmed where the policy asks for none. It must come before anything is
// loaded. Once the gate is armed, nothing but a new start of the machine changes
// it.
func (s *System) Gate() (gate.Mode, error) {
	g := s.policy.Gate
	if g == nil {
		return gate.NotArmed, nil
	}
	if err := gate.CheckLSM(); err != nil {
		return gate.NotArmed, err
	}
	mode, err := gate.Armed(filepath.Join(bpffs, bootset.DefaultPin, gateName))
	if err != nil || mode != gate.NotArmed {
		return mode, err
	}
	e := &bootset.Entry{Source: PolicyPath, File: g.Object, Name: gateName, Pin: bootset.DefaultPin, Timeout: gateTime}
	v, err := s.verify(e)
	if err != nil {
		return gate.NotArmed, err
	}
	return s.raiseGate(g, e, v)
}

// raiseGate loads the gate and arms it.
func (s *System) raiseGate(g *policy.Gate, e *bootset.Entry, v *verify.Verified) (gate.Mode, error) {
	set := gate.Settings{Mode: gate.Audit, Keyrings: g.Keyrings, State: s.state}
	if g.Mode == policy.GateEnforce {
		set.Mode = gate.Enforce
	}
	var err error
	set.Loader, err = gate.IdentifyFile(g.Loader)
	// Who the loader is decides only where the kernel checks no signatures.
	if anonymous, ok := errors.AsType[*gate.AnonymousError](err); ok && s.policy.KernelVerify == policy.KernelRequired {
		set.Loader, err = anonymous.ID, nil
	}
	if err != nil {
		return gate.NotArmed, fail(codeFailed, "gate-loader", fmt.Errorf("the trusted loader: %w", err))
	}
	for _, a := range g.Allow {
		exe, err := gate.IdentifyFile(a.Exe)
		if err != nil {
			return gate.NotArmed, fail(codeFailed, "gate-allow", fmt.Errorf("the gate's allow list: %w", err))
		}
		set.Allow = append(set.Allow, gate.Allow{Exe: exe, Tags: a.Tags})
	}
	opt, err := s.options()
	if err != nil {
		return gate.NotArmed, err
	}
	opt.Pin, opt.Timeout = filepath.Join(bpffs, e.Pin), e.Timeout
	next, err := s.newRecord(e, v, opt.Pin)
	if err != nil {
		return gate.NotArmed, err
	}
	loaded, err := loader.Load(v, opt)
	if err != nil {
		return gate.NotArmed, err
	}
	report := loaded.Report()
	if report.KernelVerified {
		next.Keyring, next.Serial = s.ringName(loaded.KeyringID())
	}
	err = fill(next, &report)
	if err == nil {
		err = s.remember(next, v)
	}
	if err == nil {
		set.Pins, set.Map = next.Pins, loaded.Map
		err = s.arm(&set, v, loaded)
	}
	err = cmp.Or(err, loaded.Close())
	if err != nil {
		return gate.NotArmed, errors.Join(err, s.remove(opt.Pin, next.Name))
	}
	return set.Mode, nil
}

// arm adds what the kernel decides by, and arms the gate.
func (s *System) arm(set *gate.Settings, v *verify.Verified, loaded *loader.Loaded) error {
	set.Floor = s.floorFile
	report := loaded.Report()
	if !report.KernelVerified {
		can, err := kernelload.HasSignatures(nil)
		if err != nil {
			return err
		}
		if can {
			return &gate.Error{Reason: "no-signatures", Err: errors.New("this kernel takes signatures of BPF programs and checks none (CONFIG_SYSTEM_DATA_VERIFICATION): nothing could ever be loaded")}
		}
		return gate.Arm(*set)
	}
	id := loaded.KeyringID()
	if s.kernel.IsZero() {
		set.Serials = []int32{id}
	} else {
		set.Keyrings = append(set.Keyrings, s.kernel.String())
	}
	profile, err := bpfabi.ParseProfile(report.Profile)
	if err != nil {
		return err
	}
	instructions, cms, _ := v.Loader(profile)
	p := kernelload.Payload{Profile: profile, Instructions: instructions, Metadata: v.Metadata(), CMS: cms}
	set.Trial = func() error {
		return kernelload.OnThread(func() error { return kernelload.Admitted(p, kernelload.Settings{KeyringID: id}) })
	}
	return gate.Arm(*set)
}

// gateName is what the gate's manifest calls it, and so the directory of its pins.
const gateName = "gate"

// gateTime is how long loading the gate may take.
const gateTime = time.Minute
