package bpfgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"sort"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// hash identifies what was compiled: programs, where they attach, maps, and
// what the maps' values mean; movable leaves out what may be otherwise when a program
// or library is replaced, see object.Object.PinHash.
func (c *compiler) hash(movable bool) string {
	h := sha256.New()
	for _, p := range c.obj.Programs {
		c.hashProgram(h, p, movable)
	}
	names := make([]string, 0, len(c.obj.Spec.Maps))
	for name := range c.obj.Spec.Maps {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		m := c.obj.Spec.Maps[name]
		fmt.Fprintf(h, "map %s %v %d %d %d %d\n", name, m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags)
	}
	h.Write(c.constants.Bytes())
	for _, set := range c.obj.Cgroups {
		fmt.Fprintf(h, "groups of %s: %q %t\n", set.Map, set.Text, set.AllHierarchies)
	}
	for _, m := range c.obj.Maps {
		hashMap(h, m)
	}
	for _, e := range c.obj.Events {
		fmt.Fprintf(h, "event %d %q %d\n", e.Kind, e.Format, e.Size)
	}
	if !movable {
		fmt.Fprintf(h, "names %q\n", c.obj.Probes)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// hashMap hashes what keys and values of a map mean.
func hashMap(h io.Writer, m *object.Map) {
	fmt.Fprintf(h, "values of %s: %s %s\n", m.Name, aggregationName(m), typeText(m.Value))
	if m.Slots != nil {
		fmt.Fprintf(h, "slots %v\n", *m.Slots)
	}
	if m.Expiry != nil {
		fmt.Fprintf(h, "expire %v\n", *m.Expiry)
	}
	hashBuckets(h, m.Buckets)
	if len(m.MissedBy) > 0 {
		fmt.Fprintf(h, "and misses of programs %v\n", m.MissedBy)
	}
	for _, part := range m.Key {
		fmt.Fprintf(h, "key %d %s\n", part.Offset, typeText(part.Type))
	}
}

// aggregationName is the name of what feeds a map; "" for a table.
func aggregationName(m *object.Map) string {
	if m.Agg == nil {
		return ""
	}
	return m.Agg.Name
}

// hashBuckets writes the limits of a histogram's buckets.
func hashBuckets(h io.Writer, b object.Buckets) {
	if b == nil {
		return
	}
	var limits []byte
	for i := range b.Len() {
		lo, hi := b.Range(i)
		limits = fmt.Appendln(limits, lo, hi)
	}
	h.Write(limits)
}

func (c *compiler) hashProgram(h io.Writer, p *object.Program, movable bool) {
	spec := c.obj.Spec.Programs[p.Name]
	fmt.Fprintf(h, "program %s %v %v %v\n", p.Name, p.Attach, spec.Type, spec.AttachType)
	for _, at := range p.Points {
		if _, isUser := at.Site.(object.UserFunction); isUser && movable {
			continue
		}
		fmt.Fprintf(h, "site %q id %d covers %d glob %v\n", at.Key(), at.ID, at.Covers, at.Glob)
	}
	var code []byte
	for _, ins := range spec.Instructions {
		code = appendInstruction(code, ins)
	}
	h.Write(code)
}

// appendInstruction appends all that an instruction does. Its text would take
// longer to make than the whole program.
func appendInstruction(b []byte, ins asm.Instruction) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(ins.OpCode)<<32|uint64(ins.Dst)<<24|uint64(ins.Src)<<16|uint64(uint16(ins.Offset)))
	b = binary.LittleEndian.AppendUint64(b, uint64(ins.Constant))
	b = append(append(b, ins.Reference()...), 0)
	return append(append(b, ins.Symbol()...), 0)
}

func typeText(t *plylang.Type) string {
	if t == nil {
		return ""
	}
	return fmt.Sprint(t.Kind, t.Size, t.Signed, t.Unit, t.Display.String())
}
