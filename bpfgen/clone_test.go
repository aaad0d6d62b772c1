package bpfgen

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/plylang"
)

// Of a function that the compiler has changed, neither the result nor the registers of
// the arguments are known, as they are of others.
func TestWarnsOfCopies(t *testing.T) {
	found, err := elf.Find("", "libc.so.6")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "libcopy.so")
	text = bytes.Replace(text, []byte("\x00malloc_usable_size\x00"), []byte("\x00malloc_use.isra.0\x00\x00"), 1)
	if err := os.WriteFile(program, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k := recorded(t, "6.18-amd64")
	const result, arguments = "a copy of a function whose result", "a copy of a function whose arguments"
	for script, want := range map[string]string{
		"uretprobe:" + program + ":malloc_use { @ = sum((int)retval); }":          result,
		"uretprobe:" + program + ":malloc_use* / retval / { @[func] = count(); }": result,
		"uretprobe:" + program + ":malloc_use { @ = quantize(elapsed); }":         "",
		"uretprobe:" + program + ":getenv { @[retval] = count(); }":               "",
		"uprobe:" + program + ":malloc_use { @[arg0] = count(); }":                arguments,
		"uprobe:" + program + ":malloc_use { @ = count(); }":                      "",
		"uprobe:" + program + ":getenv { @[str(arg0)] = count(); }":               "",
	} {
		obj, err := Build(&plylang.Source{Text: script}, k, Options{}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		switch got := obj.Warnings.Error(); {
		case want == "" && strings.Contains(got, "copy"), strings.Count(got, want) != 1 && want != "":
			t.Errorf("%s: warnings %q, want %q", script, got, want)
		}
	}
}
