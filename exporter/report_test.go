package exporter

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// lacking is the error of a script that needs what this kernel does not have.
func lacking(text string) error { return &plylang.Error{Msg: text, Missing: true} }

const twoScripts = "scripts: [{name: a, script: A}, {name: b, script: B}]\n"

// When no script runs, the reason is said once and serving ends, unless the
// user wants it nevertheless.
func TestNoScriptRuns(t *testing.T) {
	for _, row := range []struct {
		name string
		a, b error
		want string
	}{
		{"one reason", lacking("no tracefs"), lacking("no tracefs"), "no script runs (--keep-going serves nevertheless):\nno tracefs"},
		{"two", lacking("no tracefs"), lacking("no function"),
			"no script runs (--keep-going serves nevertheless):\nprobes.yaml:1:29: no tracefs\n    A\n    ^\nprobes.yaml:1:51: no function\n    B\n    ^"},
	} {
		b := &fakeBackend{checks: map[string]error{"A": row.a, "B": row.b}}
		cfg, err := config.Parse("probes.yaml", []byte(twoScripts))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		var log bytes.Buffer
		opt := testOptions(b, freeAddress(t))
		opt.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		err = Serve(t.Context(), cfg, opt)
		if err == nil || plylang.Detail(err) != row.want || log.Len() > 0 {
			t.Errorf("%s: error %v, want\n%s\nlog %s", row.name, err, row.want, &log)
		}
	}
}

func TestKeepGoing(t *testing.T) {
	b := &fakeBackend{checks: map[string]error{"A": lacking("no tracefs"), "B": lacking("no tracefs")}}
	var log bytes.Buffer
	in := &instance{collector: run(t, b, twoScripts)}
	in.opt = testOptions(b, "")
	in.opt.KeepGoing = true
	in.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	if err := in.report(in.collector.scripts); err != nil {
		t.Error(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `script=a,b err="no tracefs"`) {
		t.Errorf("want one line of both, got\n%s", got)
	}
	in.opt.Strict = true
	if err := in.report(in.collector.scripts); err == nil || err.Error() != "no tracefs" {
		t.Errorf("strict: %v", err)
	}
}

// An error says its place if it has one, and no place if it is the same at many.
func TestSentences(t *testing.T) {
	src := &plylang.Source{File: "f", Text: "ab"}
	x, y, z := &plylang.Error{Src: src, Pos: 0, Msg: "x"}, &plylang.Error{Src: src, Pos: 1, Msg: "y"}, &plylang.Error{Src: src, Pos: 1, Msg: "x"}
	for _, row := range []struct {
		errs []error
		want string
	}{
		{[]error{errors.New("plain")}, "plain"},
		{[]error{x}, "f:1:1: x"},
		{[]error{plylang.ErrorList{x, y}}, "f:1:1: x\nf:1:2: y"},
		{[]error{plylang.ErrorList{x, z}}, "x"},
		{[]error{x, z}, "x"},
		{[]error{plylang.ErrorList{x}, z}, "x"},
		{[]error{plylang.ErrorList{x, z}, errors.New("plain")}, "x\nplain"},
	} {
		scripts := make([]*script, len(row.errs))
		for i, err := range row.errs {
			scripts[i] = &script{conf: &config.Script{Name: "s"}, err: err}
		}
		if got := groupFailures(scripts).Error(); got != row.want {
			t.Errorf("%v: %q, want %q", row.errs, got, row.want)
		}
	}
}
