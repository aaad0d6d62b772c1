package probe

import (
	"ply-exporter/bpfgen/kernel"
)

// listTraced lists the functions that programs can be attached to by their types.
func listTraced(p *Provider) func(*kernel.Kernel, *kernel.Glob, bool) ([]Listed, error) {
	return func(k *kernel.Kernel, glob *kernel.Glob, vars bool) ([]Listed, error) {
		if !k.Has(kernel.Fentry) {
			return nil, nil
		}
		functions, err := k.Functions("*")
		if err != nil {
			return nil, err
		}
		var out []Listed
		for _, f := range functions {
			if !glob.Match(f.Name) {
				continue
			}
			t, err := traceable(k, p, f)
			if err != nil {
				continue
			}
			l := Listed{Name: p.Name + ":" + f.Name}
			if vars {
				l.Vars = t.listed(p)
			}
			out = append(out, l)
		}
		return out, nil
	}
}

// listed are the variables of a function as C declares them.
func (t *traced) listed(p *Provider) (vars []ListedVar) {
	for _, param := range t.params {
		vars = append(vars, ListedVar{"args->" + param.Name, t.Params[param.number].Text()})
	}
	if p.returns {
		vars = append(vars, ListedVar{"retval", t.ResultText()})
	}
	return vars
}
