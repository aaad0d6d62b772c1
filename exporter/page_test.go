package exporter

import (
	"html"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/tracer"
)

// pageOf returns what a visitor of the status page gets.
func pageOf(in *instance) string {
	w := httptest.NewRecorder()
	in.servePage(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Body.String()
}

// The page shows what the last scrape read, or makes a reading of its own,
// which all visitors share and no scrape knows of.
func TestReadingsOfThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &fakeTracer{rows: map[string][]pair{"@": {{chars("one"), words(11)}}}}
		b := &fakeBackend{
			scripts: map[string]string{"S": on(`@[comm] = count();`)},
			tracers: map[string]*fakeTracer{"S": tracer},
		}
		in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, oneScriptYAML(""))}
		scraped := in.collector.scripts[0].running.series[0]
		expect := func(when, key string, reads int, round uint32) {
			t.Helper()
			var visitors sync.WaitGroup
			for range 200 {
				visitors.Go(func() {
					if page := pageOf(in); !strings.Contains(page, ">"+key+"<") {
						t.Errorf("%s: no key %s on the page", when, key)
					}
				})
			}
			visitors.Wait()
			if tracer.reads != reads || scraped.round != round {
				t.Errorf("%s: %d readings and %d scrapes, want %d and %d", when, tracer.reads, scraped.round, reads, round)
			}
		}
		expect("before the first scrape", "one", 1, 0)
		tracer.rows["@"][0].key = chars("two")
		expect("at once", "one", 1, 0)
		time.Sleep(pageAge)
		expect("later", "two", 2, 0)
		time.Sleep(pageAge)
		tracer.rows["@"][0].key = chars("three")
		scrape(t, in.collector)
		expect("after a scrape", "three", 3, 1)
		if scraped.keys.Len() != 1 {
			t.Errorf("the scrapes know %d keys, of which the page saw two", scraped.keys.Len())
		}
	})
}

// Of strings whose keys have equal labels the page shows one, not their sum.
func TestPageOfEqualLabels(t *testing.T) {
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on("op = (u64)pid; t[op] = comm;")},
		tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{"t": {{words(1), chars("sshd")}, {words(2), chars("bash")}}}}},
	}, oneScriptYAML(`{map: t, export: false, labels: [{map: {1: write, 2: write}}]}`))
	readings, err := c.scripts[0].running.peek()
	if err != nil {
		t.Fatal(err)
	}
	if rows := readings[0].view().Rows; len(rows) != 1 || rows[0].Value != "sshd" && rows[0].Value != "bash" {
		t.Errorf("got %+v", rows)
	}
}

// What does not run is first, and the header links to it, as it does to a reload that
// failed, whose error has its place.
func TestPageOfWhatFails(t *testing.T) {
	b, yaml := demo()
	in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, yaml)}
	in.reloads.begin(parsed(t, yaml))
	b.tracers["kprobe:x { @lat = quantize(time - time); }"].probes[0].MissedKnown = true
	before := pageOf(in)
	if strings.Contains(before, "missed by the kernel") {
		t.Error("no event was missed")
	}
	b.tracers["kprobe:x { @lat = quantize(time - time); }"].probes[0].Missed = 5
	in.page.forget()
	expectInOrder(t, pageOf(in), `id="latency">`, "5 events missed by the kernel")
	expectInOrder(t, before, `<b>2</b> running, <span class="failed">1 not: <a href="#missing">missing</a></span> · up`,
		"not scraped yet", `<section class="script" id="missing">`, `did you mean &#34;tcp_v4_rcv&#34;?`, "<section", `id="syscalls">`, "<section", `id="latency">`)
	if strings.Contains(before, "not reloaded") {
		t.Error("a reload failed that never was")
	}
	_, err := config.Parse("probes.yaml", []byte("scripts:\n  - nme: x\n"))
	_ = in.apply(nil, err, "test")
	expectInOrder(t, pageOf(in), `<a href="#page-reload">configuration not reloaded</a>`, `id="page-reload"`, "probes.yaml:2:5: a script has no key &#34;nme&#34;", `<span class="code">        ^</span>`)
}

// expectInOrder fails unless a text has all parts, one after the other.
func expectInOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Fatalf("no %s after the parts before it in\n%s", part, text)
		}
		rest = after
	}
}

// Each metric has a line of PromQL, what a script takes is beside it, tables that are
// not exported are folded, and durations are shares of the time.
func TestPageOfMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const script = `t[pid] = time; @busy[comm] = sum(time - time); @all = sum(time - time); @avg = avg((u64)pid); @dist[comm] = quantize(time - time); @now = (u64)pid;`
		b := &fakeBackend{
			scripts: map[string]string{"S": on(script)},
			tracers: map[string]*fakeTracer{"S": {rows: map[string][]pair{
				"@busy": {{chars("dd"), words(90e9)}, {chars("cat"), words(15e9)}},
				"@all":  {{nil, words(120e9)}},
			}, pinned: true}},
		}
		in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, oneScriptYAML(`{map: "@now", export: true}`))}
		in.opt.CPUBudget = 0.05
		r := in.collector.scripts[0].running
		r.created = time.Now()
		time.Sleep(time.Minute)
		r.spent.add(costs{all: tracer.Cost{Runs: 250, Time: time.Millisecond}}, sampleTime)
		page := pageOf(in)
		expectInOrder(t, page, "1% of a CPU · 2,500 runs a second · 4 µs for a run · budget 5%", "counts since 2000-01-01 00:00:00 UTC · pinned")
		for _, line := range []string{
			`<code>rate(ply_net_busy_seconds_total[5m])</code>`, `<code>histogram_quantile(0.99, rate(ply_net_dist_seconds_bucket[5m]))</code>`,
			`<code>rate(ply_net_avg_sum[5m]) / rate(ply_net_avg_count[5m])</code>`, `<code>ply_net_now</code>`,
			`<td class="num">150%</td><td class="num total">90 s</td>`, `<td class="num">25%</td><td class="num total">15 s</td>`,
			`<span class="total">of the time since 2000-01-01 00:00:00 UTC, 120 s in all</span>`,
		} {
			if !strings.Contains(page, line) {
				t.Errorf("no %s on the page", line)
			}
		}
		expectInOrder(t, page, "<code>@now</code>", "1 table that is not exported: t</summary>", "<code>t</code>", "</details>")
		time.Sleep(pageAge)
		b.tracers["S"].cleared = time.Now().Add(-30 * time.Second)
		scrapeAll(t, in.collector)
		expectInOrder(t, pageOf(in), `<td class="num">300%</td><td class="num total">90 s</td>`, "of the time since 2000-01-01 00:00:32 UTC") // cleared since
		in.page.forget()
		time.Sleep(time.Second)
		expectInOrder(t, pageOf(in), "counts of 2000-01-01 00:01:02 UTC", "scraped 0s before, in 0 s")
		if t.Failed() {
			t.Log(page)
		}
	})
}

// Where a script has several probes, the page says what each costs.
func TestPageShowsCostsOfProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := &fakeTracer{probes: []Probe{{Spec: "kprobe:a", Attached: true}, {Spec: "kprobe:b", Attached: true}, {Spec: "kprobe:c", Attached: true}}}
		b := &fakeBackend{scripts: map[string]string{"S": on(`@ = count();`)}, tracers: map[string]*fakeTracer{"S": ran}}
		in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, oneScriptYAML(""))}
		in.collector.scripts[0].running.spent.add(newCosts([]tracer.ProgramCost{
			{Specs: []string{"kprobe:a"}, Cost: tracer.Cost{Runs: 100, Time: time.Millisecond}},
			{Specs: []string{"kprobe:b"}, Cost: tracer.Cost{Runs: 150, Time: 3 * time.Millisecond}},
		}), sampleTime)
		page := pageOf(in)
		expectInOrder(t, page, "kprobe:a", "1% of a CPU · 1,000 runs a second · 10.0 µs for a run", "kprobe:b", "3% of a CPU · 1,500 runs a second · 20.0 µs for a run", "kprobe:c")
		expectInOrder(t, page, "4% of a CPU · 2,500 runs a second · 16 µs for a run")
		if n := strings.Count(page, "runs a second"); n != 3 {
			t.Errorf("%d costs on the page:\n%s", n, page)
		}
	})
}

// The page needs nothing but itself: no file, no other host, no program.
func TestPageNeedsNothingElse(t *testing.T) {
	b, yaml := demo()
	in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, yaml)}
	page := pageOf(in)
	if m := regexp.MustCompile(`(?i)<(?:link|img|iframe|object|embed|base)\b|\bsrc\s*=|url\(|@import|https?:|\bon[a-z]+="`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	withoutProgram := regexp.MustCompile(`(?s)<script>.*?</script>`).ReplaceAllString(page, "")
	for _, text := range []string{"28,700", "kprobe:x", "rate(ply_syscalls_total[5m])", "tcp_v4_rcv", `<meta name="viewport" content="width=device-width, initial-scale=1"/>`} {
		if !strings.Contains(withoutProgram, text) {
			t.Errorf("no %s without a program", text)
		}
	}
	csp := visit(in, "/").Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "*") || strings.Contains(csp, "http") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
}

// A text of users is shown as it is, wherever it comes from and wherever it stands: it
// neither ends an element or an attribute nor begins one.
func TestPageEscapesTexts(t *testing.T) {
	const hostile, harmless = `</p></script></style>"'><script>alert(1)</script><i onclick=" &lt;`, "a text of no harm"
	got, want := pageOfTexts(t, hostile), pageOfTexts(t, harmless)
	if n := strings.Count(want, harmless); n < 200 {
		t.Fatalf("%d texts on the page:\n%s", n, want)
	}
	if got = strings.ReplaceAll(got, html.EscapeString(hostile), harmless); got != want {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("from byte %d on:\n%.300s\nwant:\n%.300s", i, got[max(0, i-50):], want[max(0, i-50):])
	}
}

// pageOfTexts is a page with all its parts, each text of which is the given one.
func pageOfTexts(t *testing.T, text string) string {
	t.Helper()
	v := &pageView{}
	fill(reflect.ValueOf(v).Elem(), text)
	v.Reload.OK = false
	for _, s := range v.Scripts {
		s.Maps[1].Histograms = nil // a table
		s.Maps[2].Histograms, s.Maps[2].Keys, s.Maps[2].Metric = nil, nil, ""
	}
	var b strings.Builder
	if err := v.writeHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fill sets every string to a text, and gives every list three elements; numbers and flags
// say that there is something.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				fill(v.Field(i), text)
			}
		}
	}
}
