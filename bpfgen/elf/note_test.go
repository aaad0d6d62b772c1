package elf

import (
	"debug/elf"
	"encoding/hex"
	"testing"
)

func TestNotes(t *testing.T) {
	other := noteBytes("Linux", 3, []byte("version"))
	build := noteBytes("GNU", noteBuildID, []byte("\x01\x02\x03"))
	huge := noteBytes("GNU", noteBuildID, []byte("x"))
	little.PutUint32(huge[4:], 1<<32-1)
	wide := noteBytes("GNU", noteBuildID, []byte("x"))
	little.PutUint32(wide, 1<<32-1)
	tests := []struct {
		name    string
		section string
		notes   []byte
		id      string
		isGo    bool
	}{
		{"none", ".note", nil, "", false},
		{"a build ID", ".note", build, "010203", false},
		{"behind another", ".note", append(other, build...), "010203", false},
		{"a size beyond the section", ".note", huge, "", false},
		{"a name beyond the section", ".note", wide, "", false},
		{"half a note", ".note", build[:14], "", false},
		{"half a header", ".note", build[:7], "", false},
		{"Go", ".note", noteBytes("Go", noteGoBuild, []byte("abc")), "", true},
		{"Go, stripped", ".go.buildinfo", nil, "", true},
	}
	for _, tt := range tests {
		f := image{sections: []part{{name: tt.section, kind: elf.SHT_NOTE, data: tt.notes}}}.file(t)
		if got := hex.EncodeToString(f.BuildID()); got != tt.id || f.IsGo() != tt.isGo {
			t.Errorf("%s: %s, Go %t", tt.name, got, f.IsGo())
		}
	}
}
