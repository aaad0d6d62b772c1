package probe

import (
	"fmt"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// BEGIN and END are programs that nothing attaches: they are run once, through
// the kernel's way of testing programs, which raw tracepoint programs have and
// which needs no tracepoint.

func init() {
	addOnce("BEGIN", object.AttachBegin, "runs once, before the other probes are attached")
	addOnce("END", object.AttachEnd, "runs once, after the other probes are gone")
}

func addOnce(name string, attach object.AttachKind, why string) {
	p := newProvider(name)
	p.scopes = func(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
		if spec.Target != "" {
			return nil, fmt.Errorf("%s takes no target: write %s { … }", name, name)
		}
		s := newScope(p, spec, uses, attach)
		s.sites = []site{{object.AttachPoint{Site: object.Once{Name: name}}, name}}
		s.why = why
		return []*Scope{s}, nil
	}
}
