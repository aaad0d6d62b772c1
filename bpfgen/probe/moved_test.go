package probe

import (
	"slices"
	"strings"
	"testing"

	"ply-exporter/bpfgen/ctype"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/internal/need"
	"ply-exporter/internal/recorded"
)

// Each row of the table is true of each recorded kernel.
func TestMovesOfRecordedKernels(t *testing.T) {
	for i, k := range recordedKernels(t) {
		t.Run(recorded.Names()[i], func(t *testing.T) { checkMoves(t, k) })
	}
}

func recordedKernels(t *testing.T) (all []*kernel.Kernel) {
	t.Helper()
	for _, name := range recorded.Names() {
		k, err := kernel.Open(recorded.Files(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	return all
}

// And of the kernel that runs.
func TestMovesOfThisKernel(t *testing.T) {
	need.EachKernel(t)
	k, err := kernel.Running()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Symbols(); err != nil {
		t.Skip("needs root")
	}
	checkMoves(t, k)
}

func checkMoves(t *testing.T, k *kernel.Kernel) {
	for i := range moves {
		m := &moves[i]
		since := k.AtLeast(m.since[0], m.since[1]) && k.ListsTraceable() // else inlined functions look like others
		switch has := isFunction(k, m.name); {
		case m.to == "":
			checkGone(t, k, m, since, has)
		case m.renamed():
			checkRenamed(t, k, m, since, has)
		case !has:
			t.Errorf("%s is no function of this kernel", m.name)
		}
	}
}

// What is gone is gone from the version of the row on, and something else can be
// used.
func checkGone(t *testing.T, k *kernel.Kernel, m *move, since, has bool) {
	if since && has {
		t.Errorf("%s is still there", m.name)
	}
	if has {
		return
	}
	for _, spec := range m.usable(k) {
		if !usable(k, spec) {
			t.Errorf("%s: there is no %s", m.name, spec)
		}
	}
}

// From the version of the row on the old function is gone, or bypassed, and the
// new one is there with all arguments that the row names. Where several rows have
// the name, one of them is true.
func checkRenamed(t *testing.T, k *kernel.Kernel, m *move, since, has bool) {
	if since && has && !m.bypassed {
		t.Errorf("%s is still there", m.name)
	}
	now, applied := current(k, functionTarget{name: m.name})
	switch {
	case len(applied) == 0:
		if since && !has && len(m.use) == 0 {
			t.Errorf("%s is gone, and nothing takes its place", m.name)
		}
		return
	case applied[0] != m:
		return
	}
	f := ctype.FuncNamed(k, now.name)
	if f == nil {
		t.Fatalf("%s, to which %s is attached, is not declared", now.name, m.name)
	}
	for _, arg := range m.args {
		if arg.number >= len(f.Params) {
			t.Errorf("%s has no argument %d", m.to, arg.number)
		}
	}
}

// Where parameters have changed, the declaration says so on the recorded kernels
// from the version of the row on. What a script is told to write is there on one
// of these kernels at least.
func TestMovedParameters(t *testing.T) {
	kernels := recordedKernels(t)
	for i := range moves {
		m := &moves[i]
		for _, text := range m.texts() {
			if !slices.ContainsFunc(kernels, func(k *kernel.Kernel) bool { return m.applies(k) && isWritten(ctype.FuncNamed(k, m.to), text) }) {
				t.Errorf("%s: no kernel has %s", m.name, text)
			}
		}
		for _, k := range kernels {
			if m.to == m.name && k.AtLeast(m.since[0], m.since[1]) && !m.applies(k) {
				t.Errorf("%s is declared as before Linux %v", m.name, m.since)
			}
		}
	}
}

// texts are what the row tells to write.
func (m *move) texts() (texts []string) {
	for _, arg := range m.args {
		if arg.write != "" {
			texts = append(texts, arg.write)
		}
	}
	return texts
}

// isWritten looks for a parameter and its member, args->a->b, and a mask behind it.
func isWritten(f *ctype.Func, text string) bool {
	path, _, _ := strings.Cut(text, " ")
	names := strings.Split(path, "->")
	for _, p := range f.Params {
		if p.Name != names[1] {
			continue
		}
		if len(names) == 2 {
			return true
		}
		_, ok := p.Type.Elem.Struct.Member(names[2])
		return ok
	}
	return false
}
