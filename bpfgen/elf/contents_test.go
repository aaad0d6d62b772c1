package elf

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"math/rand"
	"testing"
)

// What is compressed is read as what is not, in any order.
func TestCompressedContents(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	plain := make([]byte, 10*longestList+1234)
	for i := range plain {
		plain[i] = byte(random.Intn(20))
	}
	var b bytes.Buffer
	b.Write(make([]byte, 24))
	w := zlib.NewWriter(&b)
	_, _ = w.Write(plain)
	_ = w.Close()
	stored := b.Bytes()
	little.PutUint32(stored, uint32(elf.COMPRESS_ZLIB))
	little.PutUint64(stored[8:], uint64(len(plain)))
	file := image{sections: []part{{name: ".debug_loc", kind: elf.SHT_PROGBITS, flags: elf.SHF_COMPRESSED, data: stored}}}.bytes()
	e, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	c := listsOf(e).four
	for range 30 {
		at := random.Intn(len(plain))
		got, err := c.at(int64(at))
		if want := plain[at:min(at+longestList, len(plain))]; err != nil || !bytes.Equal(got, want) {
			t.Fatalf("at %d: %d bytes, want %d, %v", at, len(got), len(want), err)
		}
	}
	for _, at := range []int64{-1, int64(len(plain))} {
		if _, err := c.at(at); err == nil {
			t.Errorf("at %d: no error", at)
		}
	}
	whole, err := debugSection(e, "loc").whole(0)
	if err != nil || !bytes.Equal(whole, plain) {
		t.Errorf("whole: %d bytes, %v", len(whole), err)
	}
}
