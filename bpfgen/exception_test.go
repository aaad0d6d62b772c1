package bpfgen

import (
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// An exception does not get past a function with a uretprobe, of which its authors are to
// know. The C library throws none.
func TestWarnsOfExceptions(t *testing.T) {
	k := recorded(t, "6.18-amd64")
	for script, want := range map[string]string{
		"uretprobe:libstdc++.so.6:std::terminate { @ = count(); }":                          "leaves std::terminate is ended",
		"uretprobe:libstdc++.so.6:_ZSt9terminatev { @ = quantize(elapsed); }":               "leaves std::terminate is ended",
		"uprobe:libstdc++.so.6:std::terminate, uretprobe:libc.so.6:getenv { @ = count(); }": "",
	} {
		obj, err := Build(&plylang.Source{Text: script}, k, Options{}, nil)
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		switch got := obj.Warnings.Error(); {
		case want == "" && len(obj.Warnings) > 0, strings.Count(got, want) != 1 && want != "":
			t.Errorf("%s: warnings %q, want %q", script, got, want)
		}
	}
}
