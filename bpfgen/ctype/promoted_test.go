package ctype

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// embedding prints where Go finds members of a struct.
const embedding = `package main

import "unsafe"

type Deep struct{ X, D, Own int64 }
type Left struct {
	pad int32
	Deep
	Both int64
}
type Far struct{ F, X int64 }
type Right struct {
	Both, R int64
	*Far
}
type Named Right
type All struct {
	id int8
	Left
	Right
	named Named
	Own   int64
}
type Twin struct{ Left; other }
type other struct{ Deep }

//go:noinline
func take(a *All, t *Twin) int64 { return a.D + t.Left.D }

func main() {
	var a All
	println("D", unsafe.Offsetof(a.D), "R", unsafe.Offsetof(a.R), "Own", unsafe.Offsetof(a.Own), "pad", unsafe.Offsetof(a.pad), "Right", unsafe.Offsetof(a.Right), "Far", unsafe.Offsetof(a.Far), "sum", take(&a, new(Twin)))
}
`

// Members of what a struct of Go embeds are where Go finds them, and those that Go does not
// find are refused.
func TestPromotedMembers(t *testing.T) {
	folder := t.TempDir()
	source, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	if err := os.WriteFile(source, []byte(embedding), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(need.Command(t, "go"), "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	printed, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	params, err := f.Parameters("main.take")
	if err != nil || len(params) != 2 {
		t.Fatal(params, err)
	}
	all, twin := OfProgram(params[0].Type).Elem.Struct, OfProgram(params[1].Type).Elem.Struct
	words := strings.Fields(string(printed))
	got := []string{}
	for i := 0; words[i] != "sum"; i += 2 {
		m, ok := all.Member(words[i])
		if !ok {
			t.Fatalf("no %s", words[i])
		}
		got = append(got, words[i], fmt.Sprint(m.Offset))
	}
	if want := words[:len(got)]; len(got) != 12 || !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for _, row := range []struct {
		of         plylang.Fields
		name, want string
	}{
		{all, "F", "F of main.All is behind a pointer: write Right.Far->F"},
		{all, "Both", `main.All embeds several structs with a member "Both": write which one, such as Left.Both`},
		{all, "X", `main.All embeds several structs with a member "X": write which one, such as Left.Deep.X`},
		{twin, "D", `main.Twin embeds several structs with a member "D": write which one, such as Left.Deep.D`},
		{all, "nothing", ""},
		{all, "r", ""},
	} {
		if _, ok := row.of.Member(row.name); ok {
			t.Errorf("%s is found", row.name)
		}
		if got := row.of.(plylang.Refuser).Refused(row.name); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
