package tracer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
)

// Clear empties a map. An update that runs at the same time on another CPU is
// either cleared with the rest or counts afterwards.
func (t *Tracer) Clear(m *object.Map) error {
	t.life.RLock()
	defer t.life.RUnlock()
	if t.closed {
		return errClosed
	}
	if err := t.maps[m.ID].clear(); err != nil {
		return fmt.Errorf("clear %s: %w", m.Name, err)
	}
	return nil
}

func (r *mapReader) clear() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.cleared = time.Now() }()
	if r.Storage == object.Cell {
		r.clearCell()
		return nil
	}
	return r.clearHash()
}

// clearCell leaves the copies of a value alone, which programs may be writing:
// without a newest one there is none.
func (r *mapReader) clearCell() {
	last := len(r.cell)
	if r.Copies > 0 {
		last = 1
	}
	for i := range last {
		r.cell.store(i, 0)
	}
}

// clearHash deletes key by key, because a batch would keep its CPU from
// running perf-attached programs for longer.
func (r *mapReader) clearHash() error {
	if err := r.readElements(); err != nil {
		return err
	}
	stride := r.shape.stride()
	for i := 0; i+stride <= len(r.data); i += stride {
		err := r.kernel.Delete(r.data[i : i+r.KeySize])
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return err
		}
	}
	return nil
}
