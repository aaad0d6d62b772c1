package tracer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Programs that the kernel may refuse
//
// A program at fentry or fexit belongs to its function from its loading on, and the
// kernel may refuse the function then. One that a script names fails the script. Those
// of a glob are loaded one by one: in place of one that is refused there is a program
// that does nothing and is attached nowhere.

// divide returns the specification of what is loaded at once, and the names of the
// programs that are loaded one by one.
func divide(obj *object.Object) (spec *ebpf.CollectionSpec, single map[string]bool) {
	single = map[string]bool{}
	for _, p := range obj.Programs {
		if obj.Spec.Programs[p.Name].AttachTo != "" && p.Points[0].Glob {
			single[p.Name] = true
		}
	}
	if len(single) == 0 {
		return obj.Spec, nil
	}
	whole := *obj.Spec
	whole.Programs = maps.Clone(obj.Spec.Programs)
	for name := range single {
		delete(whole.Programs, name)
	}
	return &whole, single
}

// loadSingle loads the programs of a script that are loaded one by one.
func (l *loader) loadSingle(t *Tracer, names map[string]bool) error {
	for _, p := range t.programs {
		if !names[p.Name] {
			continue
		}
		loaded, err := l.loadOne(t, t.obj.Spec.Programs[p.Name])
		if why := refusedFunction(p.Program, err); why != nil {
			p.refused = append(p.refused, refused{p.Points[0].Site, why})
			loaded, err = l.loadOne(t, &ebpf.ProgramSpec{Name: p.Name, Type: ebpf.RawTracepoint, License: "GPL", Instructions: doNothing})
		}
		if err != nil {
			return err
		}
		p.kernel, t.coll.Programs[p.Name] = loaded, loaded
	}
	return nil
}

var doNothing = asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}

// loadOne loads a program that uses the script's maps.
func (l *loader) loadOne(t *Tracer, program *ebpf.ProgramSpec) (*ebpf.Program, error) {
	spec := &ebpf.CollectionSpec{Maps: t.obj.Spec.Maps, Programs: map[string]*ebpf.ProgramSpec{program.Name: program}}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: l.types, MapReplacements: t.coll.Maps})
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	return coll.DetachProgram(program.Name), nil
}

// refusedFunction says why the kernel refuses the function of a program, nil if err is
// about something else. The verifier tells before it looks at an instruction.
func refusedFunction(p *object.Program, err error) error {
	var rejected *ebpf.VerifierError
	if p == nil || !errors.As(err, &rejected) || p.Attach != object.AttachFentry && p.Attach != object.AttachFexit {
		return nil
	}
	if slices.ContainsFunc(rejected.Log, logInstruction.MatchString) {
		return nil
	}
	said := verdict(rejected.Log)
	if len(said) == 0 {
		return nil
	}
	return &diagnosis{fmt.Sprintf("%s: the kernel refuses it: %s", siteName(p.Attach, p.Points[0].Site), strings.Join(said, "; ")), err}
}

// refusedAt puts the refusal of a program at the script's specification.
func refusedAt(obj *object.Object, p *object.Program, err error) error {
	if obj.Script == nil || len(p.Specs) == 0 {
		return err
	}
	return &plylang.Error{Src: obj.Script.Src, Pos: p.Specs[0].Pos, Msg: err.Error(), Missing: true}
}
