package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// families parses what /metrics says.
func (s *server) families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	_, text := s.get(t, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

// value returns a counter or gauge with these label values, in the order of
// the labels' names.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (v float64, ok bool) {
	for _, m := range families[name].GetMetric() {
		var values []string
		for _, l := range m.GetLabel() {
			values = append(values, l.GetValue())
		}
		if strings.Join(values, "\n") == strings.Join(labels, "\n") {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

// callAs calls getpriority(2) once, on a thread of that name.
func callAs(name string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		lockedThread(name) // and never unlocked: the thread ends here
		_, _, _ = syscall.RawSyscall(unix.SYS_GETPRIORITY, 0, 0, 0)
		runtime.KeepAlive(name)
	}()
	<-done
}

// Anybody can give a process any name. As a label it is valid UTF-8, and
// different names stay different.
func TestAnyNameIsALabel(t *testing.T) {
	need.BPF(t)
	s := startServer(t, "scripts:\n  - name: calls\n    help: \"a \\\"quoted\\\" \\\\ text\"\n    script: |\n      kprobe:SyS_getpriority { @[comm] = count(); }\n")
	names := map[string]string{ // the name and the label it makes
		"plain":           "plain",
		"\xff\xfe\x80x":   `\xff\xfe\x80x`,
		"a\xff":           `a\xff`,
		`a\xff`:           `a\\xff`,
		`a"b\c`:           `a"b\\c`,
		"x\ny|z":          "x\ny|z",
		`{a="b"} 1`:       `{a="b"} 1`,
		"\u00e4\xc3":      "\u00e4" + `\xc3`,
		"\x1b[31m":        `\x1b[31m`,
		"":                "",
		" ":               " ",
		"fifteen letters": "fifteen letters",
	}
	for name := range names {
		callAs(name)
	}
	families := s.families(t)
	for name, label := range names {
		if n, ok := value(families, "ply_calls_total", label); n != 1 {
			t.Errorf("%q: label %q has %v calls (%v)", name, label, n, ok)
		}
	}
	if help := families["ply_calls_total"].GetHelp(); help != `a "quoted" \ text` {
		t.Errorf("help is %q", help)
	}
	if status, page := s.get(t, "/"); status != 200 || !strings.Contains(page, "{a=&#34;b&#34;} 1") {
		t.Errorf("page: status %d, or no escaped name in it", status)
	}
}

// The same names in "run": text of one line each, and JSON that parses.
func TestAnyNameIsPrinted(t *testing.T) {
	need.BPF(t)
	for name, want := range map[string]string{
		`a\377b`:   `a\xffb`,
		`\303\244`: "\u00e4",
		`x\ny`:     `x\x0ay`,
		`a"b`:      `a"b`,
	} {
		command := "printf '" + name + "' > /proc/$$/comm; kill -0 $$"
		r := ply(t, "run", "-c", command, "kprobe:SyS_kill / pid == $target / { @[comm] = count(); }")
		if !strings.Contains(r.stdout, "\n"+want+" ") {
			t.Errorf("%s: no %q in\n%s%s", name, want, r.stdout, r.stderr)
		}
		r = ply(t, "run", "-f", "json", "-c", command, "kprobe:SyS_kill / pid == $target / { printf(\"%s\\n\", comm); print(comm); }")
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %q", name, line)
			}
		}
		if len(lines) != 3 {
			t.Errorf("%s: not 3 lines in\n%s", name, r.stdout)
		}
	}
}

// A map that is full refuses new keys, counts every refusal, and says so; the
// status is 1 unless -k asks to keep going.
func TestFullMapInRun(t *testing.T) {
	need.BPF(t)
	const script = "kprobe:SyS_read / pid == $target / { @[nsecs] = count(); @n = count(); }"
	const command = "exec dd if=/dev/zero of=/dev/null bs=1 count=12000 status=none"
	for args, status := range map[string]int{"": 1, "-k": 0} {
		r := ply(t, append(append([]string{"run"}, strings.Fields(args)...), "-f", "json", "-c", command, script)...)
		keys, all, lost := fullMapOutput(t, r.stdout)
		if r.status != status || keys == 0 || keys+lost != all || lost < 1000 {
			t.Errorf("run %s: status %d, %d keys and %d lost of %d\n%s", args, r.status, keys, lost, all, r.stderr)
		}
		if want := fmt.Sprintf("%d updates of @ were lost: the map is full (%d keys)\n", lost, keys); !strings.Contains(r.stderr, want) {
			t.Errorf("run %s: standard error\n%s\nhas no %q", args, r.stderr, want)
		}
	}
}

// fullMapOutput returns the number of keys of @, the value of @n and how many
// updates were lost.
func fullMapOutput(t *testing.T, text string) (keys, n, lost int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v struct {
			Type, Name string
			Updates    int
			Data       []struct{ Value int }
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		switch v.Type + v.Name {
		case "map@":
			keys = len(v.Data)
		case "map@n":
			n = v.Data[0].Value
		case "lost":
			lost = v.Updates
		}
	}
	return keys, n, lost
}

// A plain kretprobe has room for so many calls that are under way; the kernel misses
// the returns of the others and counts them, from 6.7 on. A run says how many,
// and its status is 1 unless -k asks to keep going.
func TestMissedInRun(t *testing.T) {
	need.OneGuest(t)
	need.Kernel(t, "6.7", "counts of missed events")
	need.Kprobes(t)
	const script = `kprobe:do_nanosleep / comm == "sleep" / { @in = count(); } kretprobe:do_nanosleep / comm == "sleep" / { @out = count(); }`
	const command = "i=0; while [ $i -lt 150 ]; do sleep 3 & i=$((i+1)); done; wait"
	for args, status := range map[string]int{"": 1, "-k": 0} {
		r := ply(t, append(append([]string{"run", "--attach=plain"}, strings.Fields(args)...), "-f", "json", "-c", command, script)...)
		in, out, missed := missedOutput(t, r.stdout)
		if r.status != status || in != 150 || missed == 0 || missed < in-out {
			t.Errorf("run %s: status %d, %d calls and %d returns, %d missed\n%s", args, r.status, in, out, missed, r.stderr)
		}
		if want := fmt.Sprintf("%d events of kretprobe:do_nanosleep were missed by the kernel\n", missed); !strings.Contains(r.stderr, want) {
			t.Errorf("run %s: standard error\n%s\nhas no %q", args, r.stderr, want)
		}
	}
}

// The kernel skips a program that is attached through perf when its event
// interrupts another such program.
func TestMissedBesideAnotherProbe(t *testing.T) {
	need.OneGuest(t)
	need.Kernel(t, "6.7", "counts of missed events")
	need.BPF(t)
	r := ply(t, "run", "--attach=plain", "-c", "exec dd if=/dev/zero of=/dev/null bs=1 count=40000 status=none", `
		tracepoint:raw_syscalls/sys_enter / pid == $target / { unroll(64) { @x = quantize(strlen(str(data->args[1], 127))); } }
		tracepoint:timer/hrtimer_expire_entry { @n = sum(1); }`)
	if r.status != 1 || !strings.Contains(r.stderr, " events of tracepoint:timer/hrtimer_expire_entry were missed by the kernel\n") {
		t.Errorf("status %d, standard error\n%s", r.status, r.stderr)
	}
}

// missedOutput returns the values of @in and @out and how many events were
// missed.
func missedOutput(t *testing.T, text string) (in, out, missed int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v struct {
			Type, Name string
			Missed     int
			Data       []struct{ Value int }
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		switch v.Type + v.Name {
		case "map@in":
			in = v.Data[0].Value
		case "map@out":
			out = v.Data[0].Value
		case "lost":
			missed = v.Missed
		}
	}
	return in, out, missed
}

// fullMaps are maps that have too few keys for what is counted in them.
const fullMaps = `
scripts:
  - name: full
    script: |
      kprobe:SyS_getpriority / startswith(comm, "full-") / { @[comm] = count(); @n = count(); @size[comm] = quantize(4096); }
    metrics:
      - {map: "@", max_entries: 4, overflow: drop}
      - {map: "@size", max_entries: 2, overflow: drop}
  - name: evict
    script: |
      kprobe:SyS_getpriority / startswith(comm, "full-") / { @[comm] = count(); }
    metrics: [{map: "@", max_entries: 4, overflow: evict}]
  - name: table
    script: |
      kprobe:SyS_getpriority / startswith(comm, "full-") / { seen[comm] = nsecs; }
    metrics: [{map: seen, max_entries: 4, export: true, type: gauge}]
`

// fullNames is how many names are counted: more than an LRU map keeps on a
// machine with a few CPUs.
const fullNames = 3000

// In the exporter, what a full map refuses is in ply_map_dropped_total, what
// an evicting one forgets leaves the newest, and what exceeds a scrape's bound
// in ply_scrape_series_omitted.
func TestFullMapsInTheExporter(t *testing.T) {
	need.BPF(t)
	s := startServer(t, fullMaps)
	for i := range fullNames {
		if i == fullNames-4 {
			s.families(t) // what changes later is newer
		}
		callAs(fmt.Sprintf("full-%d", i))
	}
	families := s.families(t)
	for _, row := range []struct {
		metric string
		labels []string
		want   float64
	}{
		{"ply_full_n_total", nil, fullNames},
		{"ply_full_total", []string{"full-0"}, 1},
		{"ply_map_entries", []string{"@", "full"}, 4},
		{"ply_map_max_entries", []string{"@", "full"}, 4},
		{"ply_map_dropped_total", []string{"@", "full"}, fullNames - 4},
		{"ply_map_dropped_total", []string{"@size", "full"}, fullNames - 2},
		{"ply_map_dropped_total", []string{"@", "evict"}, 0},
		{"ply_map_dropped_total", []string{"seen", "table"}, 0},
		{"ply_evict_total", []string{fmt.Sprintf("full-%d", fullNames-1)}, 1},
	} {
		if got, ok := value(families, row.metric, row.labels...); got != row.want || !ok {
			t.Errorf("%s%q is %v (%v), want %v", row.metric, row.labels, got, ok, row.want)
		}
	}
	if n := len(families["ply_full_total"].GetMetric()); n != 4 {
		t.Errorf("a full map has %d series, want 4", n)
	}
	checkEvicting(t, families)
}

// checkEvicting checks the maps that forget: each CPU keeps some keys for
// itself, which stay inside.
func checkEvicting(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ mp, script, metric string }{{"@", "evict", "ply_evict_total"}, {"seen", "table", "ply_table_seen_seconds"}} {
		entries, _ := value(families, "ply_map_entries", row.mp, row.script)
		surplus, _ := value(families, "ply_map_surplus_entries", row.mp, row.script)
		if n := len(families[row.metric].GetMetric()); n != 4 || entries != 4 || surplus < 1 || surplus > float64(256*cpus) {
			t.Errorf("%s has %d series of %v keys, want 4, and %v more, want 1 to %d", row.metric, n, entries, surplus, 256*cpus)
		}
	}
	for i := fullNames - 4; i < fullNames; i++ {
		for _, metric := range []string{"ply_evict_total", "ply_table_seen_seconds"} {
			if _, ok := value(families, metric, fmt.Sprintf("full-%d", i)); !ok {
				t.Errorf("%s of full-%d is left out, which is one of the newest", metric, i)
			}
		}
	}
}

func TestSeriesBound(t *testing.T) {
	need.BPF(t)
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / startswith(comm, "bound-") / { @[comm] = count(); }
`, "--metrics.max-series", "10")
	for i := range 25 {
		callAs(fmt.Sprintf("bound-%d", i))
	}
	families := s.families(t)
	if n := len(families["ply_calls_total"].GetMetric()); n != 10 {
		t.Errorf("%d series, want 10", n)
	}
	if n, _ := value(families, "ply_scrape_series_omitted", "calls"); n != 15 {
		t.Errorf("%v series were left out, want 15", n)
	}
	if n, _ := value(families, "ply_map_entries", "@", "calls"); n != 25 {
		t.Errorf("the map has %v keys, want 25", n)
	}
}

// Two exporters count the same events, each for itself.
func TestTwoExporters(t *testing.T) {
	need.BPF(t)
	a, b := startServer(t, exactConfig), startServer(t, exactConfig)
	runWorkload(t, 100)
	for _, s := range []*server{a, b} {
		if n, _ := value(s.families(t), "ply_calls_total", "sys_getpriority"); n != 100 {
			t.Errorf("%s counts %v calls, want 100", s.address, n)
		}
	}
}
