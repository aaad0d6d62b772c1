package elf

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The functions of testdata/classes.cc: the address for a large result is before the
// parameters, and for a small one it may be.
func TestParametersBehindResult(t *testing.T) {
	f, err := Open("testdata/classes.so")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const unset = "error: is stored to memory only after the first instructions"
	for name, want := range map[string]string{
		"large":             "a int rsi:4; b long int rdx:8",
		"_ZN7Derived3getEi": "this struct Derived * const rsi:8; a int rdx:4",
		"small":             "a int " + unset,
		"classes":           "d struct Derived * rdi:8; l enum Level rsi:1; m enum Mask rdx:8; p struct Packed * rcx:8",
	} {
		all, err := f.Parameters(name)
		if got := showParams(all); err != nil || got != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
	all, err := f.Parameters("classes")
	if err != nil {
		t.Fatal(err)
	}
	if !all[1].Type.Signed || all[2].Type.Signed { // whatever the names of values are
		t.Errorf("Level, Mask: signed %v, %v", all[1].Type.Signed, all[2].Type.Signed)
	}
}

// A frame at a register, as LLVM has it, is there only behind the first instructions.
func TestParametersInLateFrame(t *testing.T) {
	content, err := os.ReadFile("testdata/parameters-O0-dwarf5.so")
	if err != nil {
		t.Fatal(err)
	}
	const rbx = "\x01\x53"
	changed := bytes.ReplaceAll(content, []byte{1, opCallFrameCFA}, []byte(rbx))
	f, err := read("late", bytes.NewReader(changed), uint64(len(changed)))
	if err != nil {
		t.Fatal(err)
	}
	const unset = "error: is stored to memory only after the first instructions"
	const want = "a int rdi:4; s const char * rsi:8; n u32 rdx:4; c enum color rcx:4; b _Bool r8:1; l long int r9:8; seventh short int " + unset + "; eighth char " + unset
	all, err := f.Parameters("simple")
	if got := showParams(all); err != nil || got != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
	all, err = f.Parameters("structs")
	if got, want := showParams(all), "p struct pair "+unset+"; g struct big "+unset+"; after int "+unset; err != nil || got != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

// Code that the linker has left out takes the place of none, a file that is missing is
// named, and types are found in units of their own.
func TestUnitsOfParts(t *testing.T) {
	for file, want := range map[string]string{
		"discarded": "a int rdi; p struct pair * rsi",
		"skeleton": "no debug information of the function at 0x250 here: it is in split.dwo (-gsplit-dwarf), which is not there: " +
			"keep it with the program, or make a .dwp file beside the program of all such files (dwp)",
		"types": "a int rdi; p struct pair * rsi",
	} {
		f, err := Open("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		all, err := f.Parameters("live")
		got := showParams(all)
		if err != nil {
			_, got, _ = strings.Cut(err.Error(), "skeleton: ")
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", file, got, want)
		}
		_ = f.Close()
	}
}
