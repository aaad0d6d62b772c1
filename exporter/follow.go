package exporter

import (
	"strings"

	"ply-exporter/plylang"
)

// followFiles attaches a script to programs and libraries that were replaced since, as
// by an upgrade, too. It counts on.
func (in *instance) followFiles(s *script) {
	if !s.counts() {
		return // it is compiled anew when it starts again
	}
	r := s.running
	paths := strings.Join(r.tracer.Replaced(), ", ")
	if paths == "" {
		r.unfollowed = ""
		return
	}
	fresh := in.compileAnew(s)
	err := fresh.err
	if err == nil {
		err = r.tracer.Follow(fresh.compiled.object)
	}
	giveBack(in.opt.Backend)
	switch {
	case err == nil:
		in.opt.Log.Info("attached to what has replaced a file, too", "script", s.conf.Name, "file", paths)
	case r.unfollowed != plylang.Detail(err): // a file may not be complete yet: the next time may do
		r.unfollowed = plylang.Detail(err)
		in.opt.Log.Error("a file was replaced, and only processes that run the old one are counted: change the script, or restart the exporter",
			"script", s.conf.Name, "file", paths, "reason", r.unfollowed)
	}
}

// compileAnew compiles a script for the files that are there now.
func (in *instance) compileAnew(s *script) *script {
	fresh := &script{conf: s.conf}
	if _, errs := fresh.compile(in.opt.Backend, nil); len(errs) > 0 {
		fresh.err, fresh.compiled = errs, nil
	}
	return fresh
}
