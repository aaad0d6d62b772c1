package elf

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// Every instruction has the length that objdump gives it, and none is seen in
// its beginning alone.
func TestX86(t *testing.T) {
	text, err := os.ReadFile("testdata/x86.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		digits, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		code, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		n++
		checkX86(t, name, code)
	}
	if n < 1000 {
		t.Errorf("only %d instructions", n)
	}
}

func checkX86(t *testing.T, name string, code []byte) {
	t.Helper()
	behind := bytes.Repeat([]byte{0xff}, maxX86)
	if got := decodeX86(append(bytes.Clone(code), behind...)).length; got != len(code) {
		t.Errorf("%s % x: length %d, want %d", name, code, got, len(code))
	}
	for n := range len(code) {
		if got := decodeX86(code[:n]).length; got != 0 {
			t.Errorf("%s % x: length %d of the first %d bytes", name, code, got, n)
		}
	}
}

// What libraries of distributions have not.
func TestX86Rare(t *testing.T) {
	tests := []struct {
		code   string
		length int
	}{
		{"f6c001", 3},                    // test $1, %al
		{"f6d0", 2},                      // not %al
		{"f7c001000000", 6},              // test $1, %eax
		{"66f7c00100", 5},                // test $1, %ax
		{"6648f7c001000000", 8},          // the prefix does not matter after REX.W
		{"48b80102030405060708", 10},     // movabs
		{"b801020304", 5},                // mov $, %eax
		{"66b80102", 4},                  // mov $, %ax
		{"a10102030405060708", 9},        // movabs, %eax
		{"67a101020304", 6},              // with an address of 4 bytes
		{"c8000001", 4},                  // enter
		{"c20800", 3},                    // ret $8
		{"66e801020304", 6},              // call, the prefix does not matter
		{"8fe878c0c001", 6},              // XOP table 8
		{"8fe97880c0", 5},                // XOP table 9
		{"8fea7810c001020304", 9},        // XOP table 10
		{"8f00", 2},                      // pop (%rax)
		{"660f78c00102", 6},              // extrq
		{"f20f78c10102", 6},              // insertq
		{"0f78c1", 3},                    // vmread
		{"0f0fc10d", 4},                  // 3DNow!
		{"c7f8010203ff", 6},              // xbegin
		{"c6f801", 3},                    // xabort
		{"62f57c4858c1", 6},              // vaddph, EVEX table 5
		{"c5f877", 3},                    // vzeroupper
		{"f30f1efa", 4},                  // endbr64
		{"48c70425000000000000", 0},      // cut: mov $, 0
		{"48c7042500000000000000ff", 12}, // mov $, 0
		{"06", 0}, {"60", 0}, {"82c001", 0}, {"9a", 0}, {"ea", 0}, {"d5", 0}, {"0f04", 0}, {"0f24c0", 0}, {"c4e07877", 0}, {"", 0},
		{"666666666666666666666666666666", 0}, // prefixes alone
		{"6666666666666666666666666666660f", 0},
		{"66666666666666666666666666666690", 0}, // 16 bytes
	}
	for _, tt := range tests {
		code, err := hex.DecodeString(tt.code)
		if err != nil {
			t.Fatal(err)
		}
		if got := decodeX86(code).length; got != tt.length {
			t.Errorf("%s: length %d, want %d", tt.code, got, tt.length)
		}
	}
}
