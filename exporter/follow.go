package exporter

import (
	"errors"
	"slices"
	"strings"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// Programs and libraries that come later, or become others
//
// Every so often it is looked which files the names in scripts mean. Where these have
// changed, a script that runs is attached to those that are new, too, and counts on;
// one that does not run is tried again. One that needs other programs for those that are
// new, as for what a "?" has left out, starts again from 0, once it is attached to no file
// that has been replaced: what still runs of such files would not be counted any more. One
// that had probes in a module of the kernel which was removed starts again when the module is
// loaded again, and so does one that had probes in a program which was written to.

// look notes which files the script names, as they are before it is compiled for them.
func (s *script) look(b Backend) {
	s.names = b.FileNames(s.conf.Source)
	s.files = b.Look(s.names)
}

// waits are the programs and libraries without which a script does not run, or would not
// start again: one that runs counts on in the processes that are left of them.
func (s *script) waits() (names []string) {
	if s.running != nil {
		return s.running.gone
	}
	return s.awaited()
}

// awaited are the programs and libraries that are not there, if a script could not be
// compiled for want of them.
func (s *script) awaited() (names []string) {
	if !errors.Is(s.err, plylang.ErrLater) {
		return nil
	}
	for _, f := range s.files {
		if f.Path == "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// outdated says whether the script is not attached to all that its names mean now.
func (in *instance) outdated(s *script) bool {
	r := s.running
	return r.unfollowed != "" || r.tracer.MustStartAgain() || !slices.EqualFunc(in.opt.Backend.Look(s.names), r.files, object.File.Same)
}

// followFiles attaches a script to files that its names mean since, too, and starts one that
// waits for them. Only who may change the scripts calls it.
func (in *instance) followFiles(s *script) {
	if s.running != nil && !s.counts() { // that is compiled anew when it starts again
		return
	}
	if s.running != nil && s.running.tracer.MustStartAgain() {
		in.startOver(s, "what it has probes in was loaded again, or written to")
		return
	}
	if len(s.names) == 0 {
		return
	}
	if s.running != nil {
		in.letGo(s)
	}
	was := s.files
	if s.running != nil {
		was = s.running.files
	}
	now := in.opt.Backend.Look(s.names)
	if !slices.EqualFunc(now, was, object.File.Same) {
		fresh := in.compileFor(s)
		defer giveBack(in.opt.Backend)
		if s.running == nil {
			in.startLate(s, fresh)
			return
		}
		in.follow(s, fresh, changed(now, was))
	}
	if s.running != nil && s.running.other && s.running.losesNothing(now) {
		in.startOver(s, "it needs other programs for files that are there since")
	}
}

// letGo detaches a script from files that are gone.
func (in *instance) letGo(s *script) {
	if paths := s.running.tracer.LetGo(); len(paths) > 0 {
		in.opt.Log.Info("files were deleted, and no process has them any more: they are not kept", "script", s.conf.Name, "files", strings.Join(paths, ", "))
		in.changed()
	}
}

// startOver starts a script again that counts. Where it does not start, there are pauses.
func (in *instance) startOver(s *script, why string) {
	if time.Now().After(s.running.spent.until) {
		in.startAgain(s, why)
	}
}

// losesNothing says whether a script that starts again would be attached to all files that
// it is attached to.
func (r *running) losesNothing(now []object.File) bool {
	return !slices.ContainsFunc(r.tracer.Files(), func(id object.FileID) bool {
		return !slices.ContainsFunc(now, func(f object.File) bool { return f.ID == id })
	})
}

// leaves says whether the script as it is compiled now has no probe in a file that it is
// attached to, although that one is still meant: another alternative has come.
func (r *running) leaves(fresh *script) bool {
	in := map[object.FileID]bool{}
	for _, p := range fresh.compiled.object.Programs {
		for _, at := range p.Points {
			if f, ok := at.Site.(object.UserFunction); ok {
				in[f.File] = true
			}
		}
	}
	return slices.ContainsFunc(r.tracer.Files(), func(id object.FileID) bool {
		return !in[id] && slices.ContainsFunc(fresh.files, func(f object.File) bool { return f.Path != "" && f.ID == id })
	})
}

// changed are the paths of files that are others than they were.
func changed(now, was []object.File) string {
	var paths []string
	for _, f := range now {
		if f.Path != "" && !slices.ContainsFunc(was, f.Same) {
			paths = append(paths, f.Path)
		}
	}
	slices.Sort(paths)
	return strings.Join(slices.Compact(paths), ", ")
}

// follow attaches a script that runs to files that have changed.
func (in *instance) follow(s, fresh *script, paths string) {
	r := s.running
	var added []string
	err := fresh.err
	switch {
	case err != nil:
	case r.leaves(fresh): // with both, an event would count twice
		err = tracer.ErrOtherCode
	default:
		added, err = r.tracer.Follow(fresh.compiled.object)
	}
	if err == nil || fresh.err != nil || errors.Is(err, tracer.ErrOtherCode) {
		r.files = fresh.files // else it is tried again
	}
	before, had := r.unfollowed, r.gone
	r.other = errors.Is(err, tracer.ErrOtherCode) && (r.other || paths != "")
	in.collector.lock.Lock()
	r.unfollowed, r.gone = "", fresh.awaited()
	if err != nil && paths != "" {
		r.unfollowed = "not attached to " + paths + ": " + plylang.Detail(err)
	}
	in.collector.lock.Unlock()
	if r.gone != nil && !slices.Equal(r.gone, had) {
		in.opt.Log.Warn("a program is gone: what is left of its processes is counted", "script", s.conf.Name, "programs", strings.Join(r.gone, ", "))
	}
	switch {
	case len(added) > 0:
		in.opt.Log.Info("attached to files that are new, too", "script", s.conf.Name, "files", strings.Join(added, ", "))
	case r.other && r.losesNothing(r.files): // it starts again
	case r.unfollowed != "" && r.unfollowed != before: // a file may not be complete yet: the next time may do
		in.opt.Log.Error("a file has changed, and only processes that run the old one are counted: change the script, or reload the configuration",
			"script", s.conf.Name, "reason", r.unfollowed)
	}
	in.changed()
}

// startLate starts a script that has not run, as it was compiled for the files that are
// there now.
func (in *instance) startLate(s, fresh *script) {
	c := in.collector
	start([]*script{fresh}, in.opt.Backend)
	news := fresh.err == nil || s.err == nil || plylang.Detail(s.err) != plylang.Detail(fresh.err)
	c.lock.Lock()
	s.compiled, s.running, s.err, s.files = fresh.compiled, fresh.running, fresh.err, fresh.files
	s.warnings, s.notes = fresh.warnings, fresh.notes
	c.lock.Unlock()
	in.changed()
	in.manager.changed(c.scripts)
	if news {
		in.reportFailures([]*script{s})
		in.reportRunning([]*script{s})
	}
}

// checkNames finds fault with a script whose metrics have names that those of others
// have.
func checkNames(others []*script, fresh *script) {
	var names nameCheck
	for _, s := range append(others, fresh) {
		if s.compiled == nil {
			continue
		}
		for _, m := range s.compiled.metrics.exported() {
			if err := names.add(m); err != nil && s == fresh {
				fresh.err, fresh.compiled = err, nil
				return
			}
		}
	}
}

// compileFor compiles a script for the files that are there now, beside the others.
func (in *instance) compileFor(s *script) *script {
	fresh := &script{conf: s.conf}
	in.opt.Backend.Forget() // what the kernel had
	if _, errs := fresh.compile(in.opt.Backend, nil); len(errs) > 0 {
		fresh.err, fresh.compiled = errs, nil
	}
	others := slices.DeleteFunc(slices.Clone(in.collector.scripts), func(other *script) bool { return other == s })
	checkNames(others, fresh)
	limitMemory(append(others, fresh), in.opt.MemoryBudget) // it comes last
	return fresh
}
