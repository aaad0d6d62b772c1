package exporter

import (
	"errors"
	"fmt"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A unit is one script of the configuration with what became of it: compiled,
// running, or the error that stopped it.
type unit struct {
	conf    *config.Script
	checked *plylang.Script // nil when it did not get that far
	plan    *plan
	object  *object.Object
	tracer  Tracer
	tables  []*table // one for each map, in the script's order
	err     error    // why it does not run
	readErr error    // why it could not be read the last time
	specs   []string // of a script that does not run: its probes, once they were asked for
}

// prepare compiles all scripts of a configuration. fatal holds what is wrong
// in every kernel: the configuration's and the scripts' own mistakes. What
// this kernel lacks stands in the units.
func prepare(cfg *config.Config, b Backend) (units []*unit, fatal plylang.ErrorList) {
	var names nameCheck
	for _, s := range cfg.Scripts {
		u := &unit{conf: s}
		units = append(units, u)
		fatal = append(fatal, u.prepare(b, &names)...)
	}
	return units, fatal
}

// prepare compiles one script and returns the user's mistakes in it.
func (u *unit) prepare(b Backend, names *nameCheck) plylang.ErrorList {
	checked, err := b.Check(u.conf.Source)
	if err != nil {
		return u.fail(err)
	}
	u.checked = checked
	p, errs := planScript(u.conf, checked)
	u.plan = p
	for _, m := range p.exported() {
		if err := names.add(m); err != nil && len(errs) == 0 {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		u.err = errs
		return errs
	}
	if u.object, err = b.Compile(checked, p.options); err != nil {
		return u.fail(err)
	}
	return nil
}

// fail notes why the script does not run, and returns the error where it is
// the user's and not the kernel's.
func (u *unit) fail(err error) plylang.ErrorList {
	u.err = err
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
	return plylang.ErrorList{u.conf.At.Errorf("script %s: %s", u.conf.Name, err)}
}

// start loads and attaches all units that compiled.
func start(units []*unit, b Backend) {
	var ready []*unit
	var objects []*object.Object
	for _, u := range units {
		if u.object != nil && u.err == nil {
			ready, objects = append(ready, u), append(objects, u.object)
		}
	}
	if len(ready) == 0 {
		return
	}
	tracers, errs := b.Start(objects)
	for i, u := range ready {
		if errs[i] != nil {
			u.err = errs[i]
			continue
		}
		u.tracer = tracers[i]
		if u.err = u.makeTables(); u.err != nil {
			u.err = errors.Join(u.err, u.tracer.Close())
			u.tracer = nil
		}
	}
}

func (u *unit) makeTables() error {
	for i, m := range u.plan.metrics {
		mp := u.object.Maps[i]
		t := newTable(m, mp, u.tracer.Text)
		if mp.Shape == object.ShapeHistogram {
			var err error
			if t.fold, err = object.Fold(mp.Buckets, m.bounds.thresholds); err != nil {
				return fmt.Errorf("map %s: %w: a bug of ply-exporter", mp.Name, err)
			}
		}
		u.tables = append(u.tables, t)
	}
	return nil
}

// running says whether the script counts.
func (u *unit) running() bool { return u.tracer != nil }

// warnings returns what the script works with, but should not.
func (u *unit) warnings() plylang.ErrorList {
	var list plylang.ErrorList
	if u.checked != nil {
		list = append(list, u.checked.Warnings...)
	}
	if u.plan != nil {
		list = append(list, u.plan.warnings...)
	}
	if u.object != nil {
		list = append(list, u.object.Warnings...)
	}
	return list
}
