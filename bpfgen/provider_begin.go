package bpfgen

import (
	"fmt"

	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// BEGIN and END are programs that nothing attaches: they are run once, through
// the kernel's way of testing programs, which raw tracepoint programs have and
// which needs no tracepoint.

var beginProvider = onceProvider("BEGIN", object.AttachBegin, "runs once, before the other probes are attached")

var endProvider = onceProvider("END", object.AttachEnd, "runs once, after the other probes are gone")

func onceProvider(name string, attach object.AttachKind, why string) *provider {
	p := &provider{name: name, doc: "nothing"}
	p.scopes = func(e *env, spec *plylang.Spec, uses plylang.Uses) ([]*scope, error) {
		if spec.Target != "" {
			return nil, fmt.Errorf("%s takes no target: write %s { … }", name, name)
		}
		return []*scope{{
			provider: p, spec: spec, uses: uses,
			attach: attach, program: ebpf.ProgramSpec{Type: ebpf.RawTracepoint},
			places: []object.Place{{Target: name}}, names: []string{name},
			why: why,
		}}, nil
	}
	return p
}
