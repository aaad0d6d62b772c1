package exporter

import (
	"errors"
	"slices"
	"strings"

	"ply-exporter/plylang"
)

// report logs the scripts that do not run and what the others warn of and note. When
// none runs, that is an error, unless opt.KeepGoing; with opt.Strict, when one
// does not.
func (in *instance) report(scripts []*script) error {
	err := in.unfit(scripts)
	if noneRun(scripts) && err != nil {
		return err // which says it all
	}
	in.reportFailures(scripts)
	in.reportRunning(scripts)
	return err
}

// reportRunning logs the scripts that run, with what they warn of and note.
func (in *instance) reportRunning(scripts []*script) {
	for _, s := range scripts {
		if s.err != nil {
			continue
		}
		for _, w := range s.warnings {
			in.opt.Log.Warn(w.Error(), "script", s.conf.Name)
		}
		for _, n := range s.notes {
			in.opt.Log.Info(n.Error(), "script", s.conf.Name)
		}
		in.opt.Log.Info("script runs", "script", s.conf.Name, "probes", len(s.running.tracer.Probes()))
	}
}

// unfit says why an exporter is not to serve these scripts as they are.
func (in *instance) unfit(scripts []*script) error {
	failed := groupFailures(scripts)
	switch {
	case noneRun(scripts) && !someWait(scripts) && !in.opt.KeepGoing:
		return noneRuns(failed)
	case len(failed) > 0 && in.opt.Strict:
		return failed
	}
	return nil
}

func (in *instance) reportFailures(scripts []*script) {
	for _, f := range groupFailures(scripts) {
		log, text := in.opt.Log.Error, "script does not run"
		if f.waits() {
			log, text = in.opt.Log.Warn, "script waits for a program, and starts when it is there"
		}
		log(text, "script", strings.Join(f.scripts, ","), "err", f.text())
	}
}

func noneRun(scripts []*script) bool {
	for _, s := range scripts {
		if s.running != nil {
			return false
		}
	}
	return len(scripts) > 0
}

// someWait says whether a script will run when a program is installed.
func someWait(scripts []*script) bool {
	return slices.ContainsFunc(scripts, func(s *script) bool { return s.waits() != nil })
}

// A noneRuns is why no script of a configuration runs.
type noneRuns failures

func (n noneRuns) Error() string { return "no script runs: " + failures(n).Error() }

// Detail returns the reasons with source lines and carets.
func (n noneRuns) Detail() string {
	return "no script runs (--keep-going serves nevertheless):\n" + failures(n).Detail()
}

// A failure is why scripts do not run: several, if it is the same for them,
// such as a privilege that is missing.
type failure struct {
	scripts []string
	errs    []error
}

// groupFailures returns each reason once, in the order of the scripts.
func groupFailures(scripts []*script) failures {
	var out failures
	byReason := map[string]*failure{}
	for _, s := range scripts {
		if s.err == nil {
			continue
		}
		reason := sentence(s.err)
		f := byReason[reason]
		if f == nil {
			f = &failure{}
			byReason[reason] = f
			out = append(out, f)
		}
		f.scripts, f.errs = append(f.scripts, s.conf.Name), append(f.errs, s.err)
	}
	return out
}

// waits says whether the reason is that a program is not there yet.
func (f *failure) waits() bool { return errors.Is(f.errs[0], plylang.ErrLater) }

// text is the reason, with its place in the script if that is one.
func (f *failure) text() string {
	if f.places() == 1 {
		return f.errs[0].Error()
	}
	return sentence(f.errs[0])
}

// Detail is text with the source line.
func (f *failure) Detail() string {
	if f.places() == 1 {
		return plylang.Detail(f.errs[0])
	}
	return sentence(f.errs[0])
}

// places is the number of places that have the same error.
func (f *failure) places() int {
	var list plylang.ErrorList
	if errors.As(f.errs[0], &list) && sentence(list) != list.Error() {
		return len(f.errs) * len(list)
	}
	return len(f.errs)
}

// sentence is what an error says, without places if it says the same at all of
// them.
func sentence(err error) string {
	var list plylang.ErrorList
	var one *plylang.Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		for _, e := range list {
			if e.Msg != list[0].Msg {
				return err.Error()
			}
		}
		return list[0].Msg
	case errors.As(err, &one):
		return one.Msg
	}
	return err.Error()
}

// failures are reasons as one error.
type failures []*failure

func (f failures) Error() string { return f.join((*failure).text) }

// Detail returns all reasons with source lines and carets.
func (f failures) Detail() string { return f.join((*failure).Detail) }

func (f failures) join(text func(*failure) string) string {
	texts := make([]string, len(f))
	for i, one := range f {
		texts[i] = text(one)
	}
	return strings.Join(texts, "\n")
}
