package uefi

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// blank is a file without variables, with room bytes for them.
func blank(room int) []byte {
	file := make([]byte, 72+storeHeader+room+16)
	for i := 72 + storeHeader; i < len(file); i++ {
		file[i] = 0xff
	}
	copy(file[volumeGUIDAt:], volumeGUID[:])
	binary.LittleEndian.PutUint16(file[volumeHeaderAt:], 72)
	copy(file[72:], storeGUID[:])
	binary.LittleEndian.PutUint32(file[72+storeSizeAt:], uint32(storeHeader+room))
	return file
}

// The lists are what the kernel's parse_efi_signature_list walks
// (security/integrity/platform_certs/efi_parser.c).
func TestEachCertificateHasItsList(t *testing.T) {
	certificates := [][]byte{[]byte("first"), []byte("the second")}
	out, err := Enroll(blank(400), certificates...)
	if err != nil {
		t.Fatal(err)
	}
	const variable = 72 + storeHeader
	order := binary.LittleEndian
	if got := order.Uint16(out[variable:]); got != variableStart {
		t.Fatalf("variable starts with %#x", got)
	}
	nameSize, dataSize := order.Uint32(out[variable+36:]), order.Uint32(out[variable+40:])
	name, data := out[variable+60:variable+60+nameSize], out[variable+60+nameSize:variable+60+nameSize+dataSize]
	if string(name) != "d\x00b\x00\x00\x00" {
		t.Errorf("name %q", name)
	}
	for _, want := range certificates {
		size := order.Uint32(data[16:])
		if got := data[28+16 : size]; !bytes.Equal(got, want) || order.Uint32(data[24:]) != size-28 {
			t.Errorf("list of %d bytes holds %q, want %q", size, got, want)
		}
		data = data[size:]
	}
	if len(data) != 0 {
		t.Errorf("%d bytes more", len(data))
	}
}

func TestFilesThatCannotTakeItAreRefused(t *testing.T) {
	taken := blank(400)
	taken[72+storeHeader], taken[72+storeHeader+1] = 0xaa, 0x55
	long := blank(400)
	binary.LittleEndian.PutUint32(long[72+storeSizeAt:], 1<<30)
	other := blank(400)
	other[72]++
	for name, file := range map[string][]byte{
		"empty": nil, "something else": bytes.Repeat([]byte{0xff}, 400), "variables": taken, "no room": blank(40),
		"too long": long, "other store": other, "cut short": blank(400)[:80],
	} {
		if _, err := Enroll(file, []byte("certificate")); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
