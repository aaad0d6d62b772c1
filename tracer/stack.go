package tracer

import (
	"encoding/binary"

	"ply-exporter/bpfgen/object"
)

// Stack returns the addresses of a stack that a key or value refers to,
// innermost first; nil when there is no such stack. Stacks are read through
// bpf(2), one at a time, only when they are shown.
func (t *Tracer) Stack(id int64) []uint64 {
	t.life.RLock()
	defer t.life.RUnlock()
	stacks := t.coll.Maps[object.StackMap]
	if t.closed || stacks == nil || id < 0 {
		return nil
	}
	raw, err := stacks.LookupBytes(uint32(id))
	if err != nil {
		return nil
	}
	var addrs []uint64
	for ; len(raw) >= 8; raw = raw[8:] {
		addr := binary.NativeEndian.Uint64(raw)
		if addr == 0 {
			break
		}
		addrs = append(addrs, addr)
	}
	return addrs
}
