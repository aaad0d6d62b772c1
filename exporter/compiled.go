package exporter

import (
	"errors"
	"reflect"
	"runtime"
	"slices"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// A script is an entry of the configuration and what became of it: compiled,
// running, or the error that stopped it.
type script struct {
	conf     *config.Script
	compiled *compiled         // nil when it did not get that far
	running  *running          // nil while it does not run
	err      error             // why it does not
	mistaken bool              // whether that is the user's mistake, in every kernel
	warnings plylang.ErrorList // what it works with, but should not
	notes    plylang.ErrorList // what of it is absent on this kernel
	names    []string          // of the programs and libraries that it is about
	files    []object.File     // that these meant before it was compiled
	specs    []string          // of a script that does not run: its probes, once they were asked for
}

// A compiled is what was made of an entry of the configuration, and does not
// change. Two are the same program when their objects have the same hash.
type compiled struct {
	conf    *config.Script
	checked *plylang.Script
	metrics metrics
	options bpfgen.Options
	object  *object.Object

	before *handover // what the process before has left of the script; nil if there is none
}

// needsSymbols says whether labels are names of kernel symbols.
func (c *compiled) needsSymbols() bool {
	return slices.ContainsFunc(c.metrics.exported(), func(m *metric) bool {
		return slices.ContainsFunc(m.labels, func(l label) bool { return l.of == nil && decode.NeedsSymbols(m.decl.Keys[l.part]) })
	})
}

// compile compiles all scripts of a configuration. fatal holds what is wrong
// in every kernel: the configuration's and the scripts' own mistakes. What
// this kernel lacks is the error of its script.
func compile(cfg *config.Config, b Backend) (scripts []*script, fatal plylang.ErrorList) {
	return recompile(cfg, b, nil)
}

// recompile is compile beside scripts that run. What has not changed since is not
// compiled again, so that a kernel which has loaded a module in the meantime does
// not make another program of the same text.
func recompile(cfg *config.Config, b Backend, running map[string]*running) (scripts []*script, fatal plylang.ErrorList) {
	scripts = make([]*script, len(cfg.Scripts))
	lists, errs := make([]metrics, len(scripts)), make([]plylang.ErrorList, len(scripts))
	tracer.Parallel(len(scripts), runtime.GOMAXPROCS(0), func(i int) {
		scripts[i] = &script{conf: cfg.Scripts[i]}
		lists[i], errs[i] = scripts[i].compile(b, running[cfg.Scripts[i].Name])
	})
	var names nameCheck
	for i, s := range scripts {
		for _, m := range lists[i].exported() {
			if err := names.add(m); err != nil && len(errs[i]) == 0 {
				errs[i] = plylang.ErrorList{err}
				s.err, s.compiled = errs[i], nil
			}
		}
		s.mistaken = len(errs[i]) > 0
		fatal = append(fatal, errs[i]...)
	}
	fatal.Sort()
	return scripts, fatal
}

// compile compiles one script and returns the metrics that it has, as far as it got,
// and the user's mistakes in it.
func (s *script) compile(b Backend, was *running) (metrics, plylang.ErrorList) {
	if was != nil && (was.conf.Source.Text != s.conf.Source.Text || !reflect.DeepEqual(drops(was.conf), drops(s.conf))) {
		was = nil
	}
	s.look(b)
	checked, err := s.check(b, was)
	if err != nil {
		return nil, s.fail(err)
	}
	if was == nil {
		if errs := dropParts(s.conf, checked.Maps, checked.Clauses); len(errs) > 0 {
			s.err = errs
			return nil, errs
		}
	}
	list, errs := inferMetrics(keptLabels(s.conf), checked)
	s.notes = checked.Notes
	s.warnings = append(s.warnings, checked.Warnings...)
	s.warnings = append(s.warnings, list.warnings(checked)...)
	s.warnings = append(s.warnings, bpfgen.Bystanders(checked)...)
	s.warnings = append(s.warnings, bpfgen.Misread(checked)...)
	if len(errs) > 0 {
		s.err = errs
		return list, errs
	}
	opt := list.options(s.conf)
	obj, err := s.generate(b, checked, opt, was)
	if err != nil {
		return list, s.fail(err)
	}
	s.warnings = append(s.warnings, movedTo(s.conf.Source, obj.Warnings)...)
	s.warnings.Sort()
	list.tellExact(checked, obj)
	s.compiled = &compiled{conf: s.conf, checked: checked, metrics: list, options: opt, object: obj}
	return list, nil
}

// check checks the script, or returns what was found in the same text before.
func (s *script) check(b Backend, was *running) (*plylang.Script, error) {
	if was == nil {
		return b.Check(s.conf.Source)
	}
	checked := *was.checked
	checked.Src = s.conf.Source
	checked.Warnings, checked.Notes = movedTo(checked.Src, checked.Warnings), movedTo(checked.Src, checked.Notes)
	return &checked, nil
}

// generate generates code, or returns what was generated for the same before.
func (s *script) generate(b Backend, checked *plylang.Script, opt bpfgen.Options, was *running) (*object.Object, error) {
	if was != nil && reflect.DeepEqual(opt, was.options) {
		return was.object, nil
	}
	return b.Compile(checked, opt)
}

// movedTo are errors in a text that may stand elsewhere by now.
func movedTo(src *plylang.Source, list plylang.ErrorList) plylang.ErrorList {
	out := make(plylang.ErrorList, len(list))
	for i, e := range list {
		moved := *e
		moved.Src = src
		out[i] = &moved
	}
	return out
}

// fail notes why the script does not run, and returns the error where it is
// the user's and not the kernel's.
func (s *script) fail(err error) plylang.ErrorList {
	s.err = err
	var list plylang.ErrorList
	var single *plylang.Error
	switch {
	case errors.Is(err, plylang.ErrMissing):
		return nil
	case errors.As(err, &list):
		return list
	case errors.As(err, &single):
		return plylang.ErrorList{single}
	}
	return plylang.ErrorList{s.conf.At.Errorf("script %s: %s", s.conf.Name, err)}
}
