package elf

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// Reads across blocks, at and beyond the end.
func TestView(t *testing.T) {
	content := make([]byte, 3*blockSize+100)
	for i := range content {
		content[i] = byte(i*7 + i>>8)
	}
	v := &view{r: bytes.NewReader(content), size: uint64(len(content))}
	for _, at := range []int{0, 1, blockSize - 1, blockSize, 2*blockSize - 3, 3 * blockSize, len(content) - 1, len(content)} {
		for _, n := range []int{0, 1, 4, 100, blockSize, 2*blockSize + 1, len(content)} {
			got, err := v.bytes(uint64(at), uint64(n))
			if at+n > len(content) {
				if !errors.Is(err, errOutside) {
					t.Errorf("%d bytes at %d: error %v", n, at, err)
				}
			} else if err != nil || !bytes.Equal(got, content[at:at+n]) {
				t.Errorf("%d bytes at %d: error %v, or other bytes", n, at, err)
			}
		}
	}
	if _, err := v.bytes(1<<64-1, 2); !errors.Is(err, errOutside) {
		t.Errorf("at the very end: %v", err)
	}
	if _, err := v.bytes(2, 1<<64-1); !errors.Is(err, errOutside) {
		t.Errorf("2^64-1 bytes: %v", err)
	}
}

// Blocks that share a place do not get mixed up.
func TestViewKeeps(t *testing.T) {
	content := make([]byte, (blocks+2)*blockSize)
	content[0], content[blocks*blockSize] = 1, 2
	v := &view{r: bytes.NewReader(content), size: uint64(len(content))}
	for range 3 {
		for at, want := range map[uint64]byte{0: 1, blocks * blockSize: 2, (blocks + 1) * blockSize: 0} {
			if got, err := v.bytes(at, 1); err != nil || got[0] != want {
				t.Errorf("at %d: %v %v, want %d", at, got, err, want)
			}
		}
	}
}

// A file that becomes shorter is an error, not the content of something else.
func TestViewTruncated(t *testing.T) {
	v := &view{r: strings.NewReader("short"), size: 100}
	if _, err := v.bytes(0, 50); err == nil || err.Error() != "became shorter while it was read" {
		t.Errorf("%v", err)
	}
}

func TestCString(t *testing.T) {
	long := strings.Repeat("x", longest-1)
	content := "\x00abc\x00" + strings.Repeat("-", blockSize-8) + "across\x00" + long + "\x00" + long + "xx\x00end"
	v := &view{r: strings.NewReader(content), size: uint64(len(content))}
	at := func(s string) uint64 { return uint64(strings.Index(content, s)) }
	first := at(long)
	tests := []struct {
		at, end uint64
		want    string
		err     error
	}{
		{0, 100, "", nil},
		{1, 100, "abc", nil},
		{2, 100, "bc", nil},
		{1, 4, "", errOutside},
		{1, 5, "abc", nil},
		{at("across"), 1 << 20, "across", nil},
		{first, 1 << 20, long, nil},
		{first + uint64(len(long)) + 1, 1 << 20, "", errLong},
		{at("end"), 1 << 20, "", errOutside},
		{1 << 40, 1 << 41, "", errOutside},
	}
	for _, tt := range tests {
		got, err := v.cstring(tt.at, tt.end)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%d to %d: %.20q %v, want %.20q %v", tt.at, tt.end, got, err, tt.want, tt.err)
		}
	}
}
