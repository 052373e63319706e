package loader

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfabi"
	"github.com/trustedbpf/tbpf/internal/kernelload"
	"github.com/trustedbpf/tbpf/internal/manifest"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/keys/keyring"
	"github.com/trustedbpf/tbpf/loader/worker"
	"github.com/trustedbpf/tbpf/verify"
)

// sealed is what Load uses of a *verify.Verified. It is no interface: what is
// put into one keeps the methods of every type in it, and with those of a
// certificate the trusted loader is 100 kB larger.
type sealed struct {
	manifest    *manifest.Manifest
	digest      string
	metadata    []byte
	loader      func(bpfabi.Profile) (instructions, cms []byte, ok bool)
	certificate *x509.Certificate // of the kernel's signatures
	issued      bool              // a CA of the keyring stands for it
}

// Load puts a verified object into the kernel. On success the caller owns the
// result; an error is an *Error, and then nothing is left.
func Load(v *verify.Verified, opt Options) (*Loaded, error) {
	if v == nil {
		return nil, failure("load", "", "nothing-verified", errors.New("there is no verified object"))
	}
	return load(thisKernel{}, sealed{v.Manifest(), v.Digest(), v.Metadata(), v.Loader, v.KernelCertificate(), v.KernelSignerIssued()}, opt)
}

func load(k kernel, src sealed, opt Options) (*Loaded, error) {
	var l *Loaded
	err := kernelload.OnThread(func() (err error) {
		l, err = onThread(k, src, opt)
		return err
	})
	if err != nil {
		return nil, asError(err)
	}
	return l, nil
}

// asError is the *Error in err, with what else went wrong in its text.
func asError(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return failure("load", "", "internal", err)
	}
	if err.Error() == e.Error() {
		return e
	}
	whole := *e
	for _, line := range strings.Split(err.Error(), "\n") {
		if line != e.Error() {
			whole.text += "; and then: " + line
		}
	}
	return &whole
}

// onThread is a load, on a thread that ends with it.
func onThread(k kernel, src sealed, opt Options) (l *Loaded, err error) {
	m := src.manifest
	here, err := thisMachine()
	if err != nil {
		return nil, err
	}
	if err := here.checkNeeds(m); err != nil {
		return nil, err
	}
	if err := here.addFacts(m, opt.Set, opt.KernelConfig); err != nil {
		return nil, err
	}
	tunables, err := m.TunableValues(opt.Set) // and the sizes of m's maps
	if err != nil {
		return nil, tunableError(err)
	}
	cpus, err := cpusFor(m)
	if err != nil {
		return nil, err
	}
	if err := keyring.Isolate(); err != nil {
		return nil, failure("kernel keyring", "", "keyring-failed", err)
	}
	var w *worker.Worker
	if opt.Isolate {
		if w, err = startWorker(m, opt); err != nil {
			return nil, err
		}
		defer func() {
			if w != nil {
				err = errors.Join(err, w.Close())
			}
		}()
	}
	if opt.Turn != nil {
		if err := opt.Turn(); err != nil {
			return nil, err
		}
	}
	in, err := openInputs(m, opt.Attach)
	if err != nil {
		return nil, err
	}
	defer func() { err = alsoFailed(err, in.close()) }()
	pins, err := newStage(opt.Pin, m.Name, opt.Replace)
	if err != nil {
		return nil, err
	}
	defer func() { err = alsoFailed(err, pins.close()) }()
	pins.watch(opt.Attempt)
	old, err := pins.predecessor(m, in)
	if err != nil {
		return nil, err
	}
	defer func() { err = alsoFailed(err, old.close()) }()
	token, wider, err := makeToken(opt.BPFFS, &m.Delegation)
	if err != nil {
		return nil, err
	}
	defer token.Close()
	if w != nil {
		k = isolatedKernel{w, old.keptDescriptors(old.without(in).descriptors(m))}
	}
	r := &run{
		kernel: k, src: src, manifest: m, opt: opt, token: token, wider: wider,
		settings: kernelload.Settings{Token: token, ContextSize: m.Context, Inputs: old.keptInputs(old.without(in).values(m, cpus)), Tunables: tunables, Outputs: outputs(m)},
	}
	var ring *keyring.Ring
	r.ring = func() (id int32, err error) {
		id, ring, err = signers(src, opt)
		return id, err
	}
	made, err := r.put()
	if w != nil {
		// It goes before anything is attached from here or pinned: what is
		// left of it are the descriptors that it handed over.
		err, w = errors.Join(err, w.Close()), nil
	}
	if ring != nil {
		err = errors.Join(err, ring.Close())
	}
	if err != nil {
		if made != nil {
			err = errors.Join(err, made.Close())
		}
		return nil, err
	}
	return settle(made, r, in, pins, old)
}

// alsoFailed adds what failed while cleaning up to an error. After a success
// there is nothing to clean but descriptors of directories, and a load that is
// complete is not called a failure for them.
func alsoFailed(err, cleanup error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, cleanup)
}

// settle checks what came back, attaches what the loader program could not, and
// pins. It owns made: when anything fails, all of it goes.
func settle(made *loaded, r *run, in inputs, pins *stage, old *predecessor) (l *Loaded, err error) {
	l = newLoaded(r, made)
	defer func() {
		if err != nil {
			err, l = errors.Join(err, old.takeBack(), l.Close()), nil
		}
	}()
	if err := old.giveMaps(l); err != nil {
		return l, err
	}
	if err := l.check(r.manifest, old.without(in)); err != nil {
		return l, err
	}
	if err := l.checkContents(r); err != nil {
		return l, err
	}
	if err := l.fillArenas(r.manifest, r.src.metadata); err != nil {
		return l, err
	}
	if err := l.attach(r.manifest, old.without(in)); err != nil {
		return l, err
	}
	if err := old.handOver(l, r.manifest, in); err != nil {
		return l, err
	}
	if err := l.pin(pins, r.manifest); err != nil {
		return l, err
	}
	return l, nil
}

// outputs lists the slots in which the loader program leaves descriptors.
func outputs(m *manifest.Manifest) []int {
	var slots []int
	for i := range m.Maps {
		slots = append(slots, m.Maps[i].Slot)
		if s := m.Maps[i].StructOps; s != nil {
			slots = append(slots, s.Link)
		}
	}
	for i := range m.Programs {
		p := &m.Programs[i]
		slots = append(slots, p.Slot)
		if p.Attach.By == byKernel {
			slots = append(slots, p.Attach.Link)
		}
	}
	return slots
}

// signers is the keyring that the kernel checks against: the one that was
// named, or a new one that holds the certificate of the object's kernel signer,
// provided that its key is trusted.
func signers(src sealed, opt Options) (int32, *keyring.Ring, error) {
	if !opt.Keyring.IsZero() {
		return opt.Keyring.ID(), nil, nil
	}
	cert := src.certificate
	if cert == nil {
		return 0, nil, failure("kernel keyring", "", "no-kernel-certificate", errors.New("the object has kernel signatures without a certificate"))
	}
	id, err := keys.IDOf(cert.PublicKey)
	if err != nil {
		return 0, nil, failure("kernel keyring", "", "kernel-certificate", err)
	}
	if opt.Trusted == nil || opt.Trusted.Find(id) == nil && !src.issued {
		return 0, nil, &Error{verdict: KernelRefused, Reason: "kernel-signer-not-trusted", Stage: "kernel keyring",
			text: fmt.Sprintf("the kernel signatures are by key %v, which the keyring does not hold", id), Hint: "add its certificate with --keyring, or name a kernel keyring that holds it"}
	}
	if opt.Shared != nil {
		shared, err := opt.Shared(cert)
		if err != nil {
			return 0, nil, err
		}
		if !shared.IsZero() {
			return shared.ID(), nil, nil
		}
	}
	ring, err := keyring.New([][]byte{cert.Raw})
	if err != nil {
		return 0, nil, ringError(err)
	}
	return ring.Reference().ID(), ring, nil
}

// ringError says why there is no keyring.
func ringError(err error) *Error {
	e := failure("kernel keyring", "", "keyring-failed", err)
	failed, ok := errors.AsType[*keyring.Error](err)
	if !ok {
		return e
	}
	e.text, e.Errno = failed.Operation+" failed", failed.Errno
	switch errnoOf(err) {
	case unix.ENOENT, unix.ENODEV, unix.ENOPKG:
		e.verdict, e.Reason = Unsupported, "algorithm-unsupported"
		e.text = "this kernel takes no certificate of this kind"
		e.Hint = "sign for the kernel with a key that it has (RSA is the one that all have), or name a keyring"
	case unix.EPERM, unix.EACCES:
		e.verdict = Permission
	case unix.EDQUOT:
		e.Hint = "the user's quota of keys is used up (/proc/key-users)"
	}
	return e
}
