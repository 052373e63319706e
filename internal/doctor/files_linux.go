package doctor

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bootset"
	"github.com/trustedbpf/tbpf/internal/floor"
	"github.com/trustedbpf/tbpf/internal/trusted"
	"github.com/trustedbpf/tbpf/internal/trustpath"
	"github.com/trustedbpf/tbpf/keys"
	"github.com/trustedbpf/tbpf/loader"
	"github.com/trustedbpf/tbpf/verify"
)

// Where the machine keeps what decides: what internal/trusted reads.
const (
	floorPath = "/var/lib/tbpf/floor"
	bootDir   = "/etc/tbpf/boot.d"
	maxObject = 128 << 20
	maxLoader = 64 << 20
)

// readFiles reads what the trusted loader reads, in the same way.
func (f *Facts) readFiles() {
	f.Policy = fact(trusted.ReadPolicy())
	f.Keyring = fact(trusted.ReadKeyring(keys.SystemDirs()))
	f.Floor = fact(readFloor())
	f.Loader = fact(readLoader())
	f.Revoked = f.readRevocations()
	f.BootSet = fact(f.readBootSet())
	for _, err := range []*error{&f.Revoked.Err, &f.Policy.Err, &f.Keyring.Err, &f.Floor.Err, &f.Loader.Err, &f.BootSet.Err} {
		*err = owned(*err)
	}
}

// owned marks the errors of package trustpath.
func owned(err error) error {
	var untrusted *trustpath.Error
	if errors.As(err, &untrusted) {
		return &notRoots{err}
	}
	return err
}

func readFloor() (*floor.State, error) {
	data, err := trustpath.ReadFile(floorPath, floor.MaxSize)
	if err != nil {
		return nil, err
	}
	return floor.Decode(data)
}

func readLoader() (l LoaderFile, err error) {
	// Only the checks on the way are of interest.
	if _, err := trustpath.ReadFile(LoaderPath, maxLoader); err != nil {
		return l, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(LoaderPath, &st); err != nil {
		return l, &fs.PathError{Op: "stat", Path: LoaderPath, Err: err}
	}
	return LoaderFile{Executable: st.Mode&0o001 != 0, Verity: fact(measureVerity(LoaderPath))}, nil
}

func (f *Facts) readBootSet() ([]Object, error) {
	dir, err := trustpath.OpenDir(bootDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	set, err := bootset.Read(dir)
	if err != nil {
		return nil, err
	}
	objects := make([]Object, 0, len(set))
	for _, e := range set {
		o := Object{Entry: e}
		if e.For(f.Release) {
			f.readObject(&o)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// rules are the machine's own. Where keyring or floor cannot be read nothing is
// said of what follows from them.
func (f *Facts) rules() verify.Options {
	remembered := f.Floor.Value
	if remembered == nil {
		remembered = &floor.State{}
	}
	opt := verify.Options{Keyring: f.Keyring.Value, Policy: f.policy(), Now: f.Now, Floor: remembered}
	if opt.Now.Before(remembered.Time) {
		opt.Now = remembered.Time
	}
	return opt
}

func (f *Facts) readRevocations() Fact[*verify.Revocations] {
	files, err := trusted.ReadRevocations(trusted.RevokedDir)
	if err != nil {
		return Fact[*verify.Revocations]{Err: err}
	}
	lists := verify.ReadRevocations(files, f.rules())
	return Fact[*verify.Revocations]{lists, lists.Err()}
}

// readObject verifies an object by the machine's own rules.
func (f *Facts) readObject(o *Object) {
	o.Code = codeFiles
	file, err := trustpath.ReadFile(o.Entry.File, maxObject)
	if err != nil {
		o.Err = owned(err)
		return
	}
	opt := f.rules()
	opt.Revocations = f.Revoked.Value
	if o.Entry.Seal != "" {
		if opt.Seal, err = trustpath.ReadFile(o.Entry.Seal, maxObject); err != nil {
			o.Err = owned(err)
			return
		}
	}
	if o.Verified, o.Err = verify.Bytes(file, opt); o.Err != nil {
		var refused *verify.Error
		if errors.As(o.Err, &refused) {
			o.Code = refused.ExitCode()
		}
		return
	}
	m := o.Verified.Manifest()
	if m.Name != o.Entry.Name {
		o.Err = errors.New("the object in " + o.Entry.File + " has another name: " + m.Name)
		return
	}
	var lacking *loader.Error
	if o.Needs = loader.CheckMachine(m, o.Entry.Set, nil); errors.As(o.Needs, &lacking) {
		o.NeedCode = lacking.ExitCode()
	}
}
