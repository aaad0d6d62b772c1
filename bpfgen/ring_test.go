package bpfgen

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// A ring reads events in order.
type ring struct {
	t testing.TB
	r *ringbuf.Reader
}

func newRing(t testing.TB, m *ebpf.Map) ring {
	t.Helper()
	r, err := ringbuf.NewReader(m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	r.SetDeadline(time.Now().Add(10 * time.Second))
	return ring{t, r}
}

func (r ring) next() []byte {
	r.t.Helper()
	record, err := r.r.Read()
	if err != nil {
		r.t.Fatal(err)
	}
	return record.RawSample
}
