package manifest

import (
	"maps"
	"slices"
)

// Clone returns a deep copy.
func (m *Manifest) Clone() *Manifest {
	c := *m
	if m.NotAfter != nil {
		t := *m.NotAfter
		c.NotAfter = &t
	}
	if m.KernelSigner != nil {
		k := *m.KernelSigner
		k.Chain = slices.Clone(k.Chain)
		c.KernelSigner = &k
	}
	c.Annotations = maps.Clone(m.Annotations)
	c.Certificates = slices.Clone(m.Certificates)
	c.Profiles = slices.Clone(m.Profiles)
	c.Programs = slices.Clone(m.Programs)
	for i := range c.Programs {
		p := &c.Programs[i]
		p.Flags, p.Helpers = slices.Clone(p.Flags), slices.Clone(p.Helpers)
		p.Kfuncs, p.Maps = slices.Clone(p.Kfuncs), slices.Clone(p.Maps)
	}
	c.Maps = slices.Clone(m.Maps)
	for i := range c.Maps {
		c.Maps[i] = *c.Maps[i].clone()
	}
	c.Globals = slices.Clone(m.Globals)
	c.Tunables = slices.Clone(m.Tunables)
	for i := range c.Tunables {
		t := &c.Tunables[i]
		t.Choices = slices.Clone(t.Choices)
		if t.Default != nil {
			text := *t.Default
			t.Default = &text
		}
	}
	c.Symbols = slices.Clone(m.Symbols)
	c.Capabilities = slices.Clone(m.Capabilities)
	d := &c.Delegation
	d.Commands, d.Maps = slices.Clone(d.Commands), slices.Clone(d.Maps)
	d.Programs, d.AttachTypes = slices.Clone(d.Programs), slices.Clone(d.AttachTypes)
	c.Kernel.Needs = slices.Clone(m.Kernel.Needs)
	return &c
}

func (p *Map) clone() *Map {
	c := *p
	if p.InnerMap != nil {
		c.InnerMap = p.InnerMap.clone()
	}
	if p.StructOps != nil {
		c.StructOps = p.StructOps.clone()
	}
	if p.Contents != nil {
		b := *p.Contents
		c.Contents = &b
	}
	return &c
}
