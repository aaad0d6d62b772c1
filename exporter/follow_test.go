package exporter

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// A script is attached to what has replaced a file, too, as it is compiled then. Where that
// cannot be, the log says so once, and each time for another reason.
func TestFollowsFiles(t *testing.T) {
	var log bytes.Buffer
	tr := &fakeTracer{}
	b := &fakeBackend{scripts: map[string]string{"S": on("@[comm] = count();")}, tracers: map[string]*fakeTracer{"S": tr}}
	in := &instance{opt: testOptions(b, ""), collector: run(t, b, oneScriptYAML(""))}
	in.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := in.collector.scripts[0]
	follow := func(times int, err error, want string) {
		t.Helper()
		log.Reset()
		tr.followErr = err
		for range times {
			in.followFiles(s)
		}
		if got := strings.Count(log.String(), "\n"); want == "" && got > 0 || want != "" && (got != 1 || !strings.Contains(log.String(), want)) {
			t.Errorf("log %s, want %q", &log, want)
		}
	}
	follow(3, nil, "")
	if len(tr.followed) > 0 {
		t.Error("followed what was not replaced")
	}
	tr.replaced = []string{"/usr/bin/app"}
	follow(3, errors.New("half a file"), "reason=\"half a file\"")
	follow(3, errors.New("half a file"), "")
	follow(3, errors.New("other functions"), "reason=\"other functions\"")
	if n := len(tr.followed); n != 9 || tr.followed[n-1] == s.running.object {
		t.Errorf("followed %d times, or with what was compiled before", n)
	}
	follow(1, nil, "attached to what has replaced a file, too")
	s.running.spent.over = true
	follow(3, nil, "")
	s.running.spent.over = false
	b.checks = map[string]error{"S": errors.New("no symbols yet")}
	follow(3, nil, "no symbols yet")
	if n := len(tr.followed); n != 10 {
		t.Errorf("followed %d times in the end", n)
	}
}
