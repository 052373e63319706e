package record

import (
	"bytes"
	"fmt"
	"strings"
)

// ringHeader is the first line of the record of the boot's keyring.
const ringHeader = "tbpf-keyring/1"

// Ring is the keyring that the trusted loader made for this boot.
type Ring struct {
	Boot        string // the kernel's boot id
	Serial      int32
	Description string // in the kernel: it stands for the certificates that were to go into it
}

// Encode returns the record's one encoding.
func (r *Ring) Encode() []byte {
	return fmt.Appendf(nil, "%s\nboot %q\nserial %d\ndescription %q\nend\n", ringHeader, r.Boot, r.Serial, r.Description)
}

// DecodeRing is the inverse of Encode, and takes nothing else.
func DecodeRing(data []byte) (*Ring, error) {
	if len(data) > MaxSize {
		return nil, &Error{fmt.Sprintf("it has more than %d bytes", MaxSize)}
	}
	r := &Ring{}
	for text := range strings.Lines(string(data)) {
		w := &words{rest: strings.TrimSuffix(text, "\n")}
		switch w.next() {
		case "boot":
			r.Boot = w.quoted()
		case "serial":
			r.Serial = int32(w.number(31))
		case "description":
			r.Description = w.quoted()
		}
	}
	if !bytes.Equal(r.Encode(), data) {
		return nil, &Error{"it is not the record of a keyring in its one encoding"}
	}
	return r, nil
}
