//go:build linux

package identity

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"strconv"

	"github.com/cilium/ebpf/btf"
)

// Symbols are the addresses of the kernel's functions.
type Symbols struct {
	names map[uint64]string
	at    map[string]uint64 // 0: of a name that several have
	base  uint64            // calls are relative to it
}

// ErrHidden is returned where the kernel shows no addresses to this process:
// its dumps have zeroes in their place, and prove less.
var ErrHidden = errors.New("the kernel hides its addresses from this process")

// ReadSymbols reads /proc/kallsyms.
func ReadSymbols() (*Symbols, error) {
	raw, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		return nil, err
	}
	k := &Symbols{names: make(map[uint64]string), at: make(map[string]uint64)}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 3 {
			continue
		}
		address, err := strconv.ParseUint(string(fields[0]), 16, 64)
		if err != nil {
			return nil, err
		}
		name := string(fields[2])
		if name == "__bpf_call_base" {
			k.base = address
		}
		k.names[address] = name
		if _, ok := k.at[name]; ok {
			address = 0
		}
		k.at[name] = address
	}
	if k.base == 0 {
		return nil, ErrHidden
	}
	return k, lines.Err()
}

// address is that of a symbol whose name is no other's.
func (k *Symbols) address(name string) (uint64, bool) {
	address, ok := k.at[name]
	return address, ok && address != 0
}

// absent reports whether the kernel has no such symbol.
func (k *Symbols) absent(name string) bool {
	_, ok := k.at[name]
	return !ok
}

// typeOf is the number of a function or variable in vmlinux's types, 0 if they
// do not have it.
func (k *Symbols) typeOf(name string, function bool) (uint32, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return 0, err
	}
	candidates, err := kernel.AnyTypesByName(name)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return 0, err
	}
	for _, t := range candidates {
		_, isFunction := t.(*btf.Func)
		_, isVariable := t.(*btf.Var)
		if isFunction || isVariable && !function {
			id, err := kernel.TypeID(t)
			return uint32(id), err
		}
	}
	return 0, nil
}

// called names the function that a call leads to.
func (k *Symbols) called(ins Instruction) string {
	return k.names[k.base+uint64(int64(ins.Imm))]
}

// pairs are the values of one load and their counterparts in the other.
type pairs struct{ forth, back map[uint64]uint64 }

func newPairs() *pairs { return &pairs{forth: make(map[uint64]uint64), back: make(map[uint64]uint64)} }

// match takes two for one another, if neither has another counterpart.
func (p *pairs) match(a, b uint64) bool {
	x, hasX := p.forth[a]
	y, hasY := p.back[b]
	if hasX && x != b || hasY && y != a {
		return false
	}
	p.forth[a], p.back[b] = b, a
	return true
}

// What the verifier puts into a program and what is another in each load: the
// address of the program's own description, and of what the kernel knows about a
// type of the program's own BTF (kernel/bpf/verifier.c, do_misc_fixups and
// fixup_kfunc_call). It stands in a register before a call of one of these.
var ownProgram = map[string]byte{
	"bpf_timer_set_callback": 3, "bpf_wq_set_callback_impl": 4, "bpf_wq_set_callback": 4,
}

var ownType = map[string]byte{
	"bpf_obj_new_impl": 2, "bpf_obj_new": 2, "bpf_percpu_obj_new_impl": 2, "bpf_percpu_obj_new": 2,
	"bpf_obj_drop_impl": 2, "bpf_obj_drop": 2, "bpf_percpu_obj_drop_impl": 2, "bpf_percpu_obj_drop": 2,
	"bpf_refcount_acquire_impl": 2, "bpf_refcount_acquire": 2,
	"bpf_list_push_front_impl": 3, "bpf_list_push_front": 3, "bpf_list_push_back_impl": 3, "bpf_list_push_back": 3,
	"bpf_rbtree_add_impl": 4, "bpf_rbtree_add": 4,
}

// own reports whether the 64-bit loads at i are such addresses: the same
// register, before the same call, addresses of the kernel in both, and one
// always where the other is.
func own(p, q []Instruction, i int, k *Symbols, same *pairs) bool {
	x, y := p[i], q[i]
	if x.Dst != y.Dst || x.Src != 0 || y.Src != 0 || x.Offset != y.Offset || i+1 >= len(q) || p[i+1].Code != 0 || q[i+1].Code != 0 {
		return false
	}
	a, b := uint64(uint32(x.Imm))|uint64(uint32(p[i+1].Imm))<<32, uint64(uint32(y.Imm))|uint64(uint32(q[i+1].Imm))<<32
	if a>>56 != 0xff || b>>56 != 0xff { // with five levels of page tables not all begin with 0xffff
		return false
	}
	for next := i + 2; next < min(i+4, len(p)); next++ {
		if p[next] != q[next] {
			return false
		}
		if p[next].Code != codeCall {
			continue
		}
		name := k.called(p[next])
		return name != "" && (ownProgram[name] == x.Dst || ownType[name] == x.Dst) && same.match(a, b)
	}
	return false
}
