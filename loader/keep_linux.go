package loader

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/trustedbpf/tbpf/internal/bpfsys"
	"github.com/trustedbpf/tbpf/internal/kernelbtf"
	"github.com/trustedbpf/tbpf/internal/manifest"
)

// kept is a map of the object that is replaced which the new one takes over.
type kept struct {
	name  string
	slot  int // where the loader program reads its descriptor
	fd    *bpfsys.FD
	given bool // it belongs to the new object
}

// keepMaps opens the maps that the new object takes over. One that the old
// object has not, is made anew. One that is not what the new object says it is,
// and one that is to be kept and cannot be, refuse the load: to lose the contents
// without a word is worse than to ask for an unload.
func (s *stage) keepMaps(m *manifest.Manifest) (maps []*kept, err error) {
	defer func() {
		if err != nil {
			for _, one := range maps {
				err = errors.Join(err, one.fd.Close())
			}
			maps = nil
		}
	}()
	for i := range m.Maps {
		p := &m.Maps[i]
		if p.Keep == "" && p.Pinning != manifest.PinningByName {
			continue
		}
		file, err := pinName(p.Name)
		if err != nil {
			return maps, failure("pin", p.Name, "pin-name", err)
		}
		fd, err := bpfsys.GetPinned(filepath.Join(s.dir, s.name, mapsDir, file))
		if errnoOf(err) == unix.ENOENT {
			continue
		}
		if err != nil {
			return maps, failure("replace map", p.Name, "replace-failed", err)
		}
		maps = append(maps, &kept{name: p.Name, slot: p.KeepSlot(), fd: fd})
		if err := canKeep(p, fd); err != nil {
			return maps, notKept(p.Name, err)
		}
	}
	return maps, nil
}

// notKept refuses to replace a map.
func notKept(name string, err error) *Error {
	e := failure("replace map", name, "map-not-kept", fmt.Errorf("what is in it is to be kept, and cannot be: %w", err))
	e.Hint = "unload the object first; what its maps hold goes with it"
	return e
}

// CheckMoved refuses an object that is to be loaded in another directory than the
// version before, if it has maps that are to be kept: there they would be new ones.
func CheckMoved(m *manifest.Manifest) error {
	for i := range m.Maps {
		if p := &m.Maps[i]; p.Keep != "" || p.Pinning == manifest.PinningByName {
			return notKept(p.Name, errors.New("its pin directory is another one than before"))
		}
	}
	return nil
}

// canKeep compares a map that is there with what the new object says of its own:
// type, name, sizes, flags, and the types of keys and values.
func canKeep(p *manifest.Map, fd *bpfsys.FD) error {
	if p.Keep == "" {
		return errors.New("it refers to maps or programs of its version")
	}
	info, err := checkMap(p, fd)
	if err != nil {
		return err
	}
	sum := kernelbtf.NoMapTypes()
	if info.BTFID != 0 {
		raw, err := readBTF(info.BTFID)
		if err != nil {
			return err
		}
		types, err := kernelbtf.Parse(raw, nil)
		if err != nil {
			return err
		}
		if sum, err = types.MapTypes(info.BTFKeyTypeID, info.BTFValueTypeID); err != nil {
			return err
		}
	}
	if hex.EncodeToString(sum[:]) != p.Keep {
		return errors.New("its keys or values have other types")
	}
	return nil
}

// readBTF reads the types that a map or program was made with.
func readBTF(id uint32) ([]byte, error) {
	fd, err := bpfsys.OpenBTF(id)
	if err != nil {
		return nil, err
	}
	raw, err := bpfsys.ReadBTF(fd)
	return raw, errors.Join(err, fd.Close())
}

// keptInputs adds the descriptors of kept maps to the inputs of the loader
// program.
func (old *predecessor) keptInputs(values map[int]int32) map[int]int32 {
	for _, one := range old.maps {
		values[one.slot] = int32(one.fd.Int())
	}
	return values
}

// keptDescriptors says that they are descriptors.
func (old *predecessor) keptDescriptors(slots map[int]bool) map[int]bool {
	for _, one := range old.maps {
		slots[one.slot] = true
	}
	return slots
}

// giveMaps gives the new object the maps that it keeps. The loader program must
// not have made any in their place.
func (old *predecessor) giveMaps(l *Loaded) error {
	for _, one := range old.maps {
		if l.maps[one.name] != nil {
			return mismatch("map", one.name, "it is a new one and was to be kept")
		}
		l.maps[one.name], one.given = one.fd, true
	}
	return nil
}
