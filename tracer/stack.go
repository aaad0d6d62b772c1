package tracer

import (
	"encoding/binary"

	"ply-exporter/bpfgen/object"
)

// Stack returns the addresses of a stack that a key or value refers to,
// innermost first; nil when there is no such stack. Stacks are read through
// bpf(2), one at a time, only when they are shown.
func (t *Tracer) Stack(id int64) []uint64 {
	var addrs []uint64
	for raw := t.stack(object.StackMap, id); len(raw) >= 8; raw = raw[8:] {
		addr := binary.NativeEndian.Uint64(raw)
		if addr == 0 {
			break
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// UserStack is Stack for a stack of a process.
func (t *Tracer) UserStack(id int64) []object.Frame {
	return object.Frames(t.stack(object.UserStackMap, id))
}

func (t *Tracer) stack(stackMap string, id int64) []byte {
	t.life.RLock()
	defer t.life.RUnlock()
	stacks := t.coll.Maps[stackMap]
	if t.closed || stacks == nil || id <= 0 {
		return nil
	}
	raw, err := stacks.LookupBytes(id)
	if err != nil {
		return nil
	}
	return raw
}
