package exporter

import (
	"errors"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
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
	specs    []string          // of a script that does not run: its probes, once they were asked for
}

// A compiled is what was made of an entry of the configuration, and does not
// change. Two are the same program when their objects have the same hash.
type compiled struct {
	conf    *config.Script
	checked *plylang.Script
	metrics metrics
	object  *object.Object
}

// compile compiles all scripts of a configuration. fatal holds what is wrong
// in every kernel: the configuration's and the scripts' own mistakes. What
// this kernel lacks is the error of its script.
func compile(cfg *config.Config, b Backend) (scripts []*script, fatal plylang.ErrorList) {
	var names nameCheck
	for _, conf := range cfg.Scripts {
		s := &script{conf: conf}
		scripts = append(scripts, s)
		errs := s.compile(b, &names)
		s.mistaken = len(errs) > 0
		fatal = append(fatal, errs...)
	}
	fatal.Sort()
	return scripts, fatal
}

// compile compiles one script and returns the user's mistakes in it.
func (s *script) compile(b Backend, names *nameCheck) plylang.ErrorList {
	checked, err := b.Check(s.conf.Source)
	if err != nil {
		return s.fail(err)
	}
	list, errs := inferMetrics(s.conf, checked)
	for _, m := range list.exported() {
		if err := names.add(m); err != nil && len(errs) == 0 {
			errs = append(errs, err)
		}
	}
	s.notes = checked.Notes
	s.warnings = append(s.warnings, checked.Warnings...)
	s.warnings = append(s.warnings, list.warnings(checked)...)
	s.warnings = append(s.warnings, bpfgen.Bystanders(checked)...)
	s.warnings = append(s.warnings, bpfgen.Misread(checked)...)
	if len(errs) > 0 {
		s.err = errs
		return errs
	}
	obj, err := b.Compile(checked, list.options(s.conf))
	if err != nil {
		return s.fail(err)
	}
	s.warnings = append(s.warnings, obj.Warnings...)
	s.warnings.Sort()
	list.tellExact(checked, obj)
	s.compiled = &compiled{s.conf, checked, list, obj}
	return nil
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
