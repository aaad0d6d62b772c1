package emit

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

// The same bytes are there once, whichever program asks.
func TestConstants(t *testing.T) {
	all := &Constants{}
	for _, row := range []struct {
		data string
		want int64
	}{{"12345678", 0}, {"abc", 8}, {"12345678", 0}, {"abc", 8}, {"abc\x00\x00\x00\x00\x00defg", 16}, {"defg", 24}} {
		e := New(Scratch{}, all)
		e.Constant(asm.R1, []byte(row.data))
		if at := e.Instructions()[0].Constant >> 32; at != row.want {
			t.Errorf("%q is at %d, want %d", row.data, at, row.want)
		}
	}
	if got, want := string(all.Bytes()), "12345678abc\x00\x00\x00\x00\x00abc\x00\x00\x00\x00\x00defg\x00\x00\x00\x00"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
