package exporter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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
