package probe

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/recorded"
	"ply-exporter/plylang"
)

// aKernel is one for amd64.
func aKernel(t *testing.T) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// declaredIn resolves a probe at a library that is for amd64, with the types of args.
func declaredIn(t *testing.T, r *Resolver, target string) *Scope {
	t.Helper()
	lib, err := filepath.Abs("../elf/testdata/parameters-O2-dwarf5.so")
	if err != nil {
		t.Fatal(err)
	}
	uses := plylang.Uses{Names: map[string]bool{"args": true}}
	scopes, err := r.Scopes(&plylang.Spec{Provider: "uprobe", Target: lib + ":" + target}, uses)
	if err != nil || len(scopes) != 1 {
		t.Fatal(len(scopes), err)
	}
	return scopes[0].(*Scope)
}

// The members of a struct are read as long as somebody resolves probes; a script that is
// compiled, and its types, do not keep the debug information.
func TestDebugInformationIsLetGo(t *testing.T) {
	args := func(r *Resolver) plylang.Type {
		n, ok := declaredIn(t, r, "walk").Lookup("args").Result.Elem.Struct.Member("n")
		if !ok {
			t.Fatal("no n")
		}
		return *n.Type
	}
	k := aKernel(t)
	r := NewResolver(k, false)
	want := []string{"p", "next", "l", "d", "name", "low", "high", "f", "o", "list"}
	if got := args(r).Elem.Struct.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	runtime.KeepAlive(r)
	n := args(NewResolver(k, false))
	runtime.GC()
	if got := n.Elem.Struct.Names(); len(got) > 0 {
		t.Errorf("%v are still read", got)
	}
	if got := n.Elem.Struct.Name(); got != "struct node" {
		t.Errorf("the name is %q", got)
	}
}
