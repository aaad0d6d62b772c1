package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"ply-exporter/internal/need"
)

// A started is what a counter says: its value, and since when it counts.
type started struct {
	value float64
	at    time.Time
}

// counters are those of a metric by their first label, in a scrape that a
// Prometheus makes which wants start times.
func (s *server) counters(t *testing.T, name string) map[string]started {
	t.Helper()
	const format = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	answer, body := s.request(t, "GET", "/metrics", "Accept", format)
	decoder := expfmt.NewDecoder(strings.NewReader(body), expfmt.ResponseFormat(answer.Header))
	found := map[string]started{}
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		for _, m := range family.Metric {
			if family.GetName() == name {
				found[m.Label[0].GetValue()] = started{m.Counter.GetValue(), m.Counter.GetCreatedTimestamp().AsTime()}
			}
		}
	}
}

// A key that is new, was deleted or cleared has a start after the scrape before
// it was; others keep theirs.
func TestStartTimes(t *testing.T) {
	need.BPF(t)
	begin := time.Now()
	s := startServer(t, `
scripts:
  - name: calls
    script: |
      kprobe:SyS_getpriority / startswith(comm, "key-") / { @[comm] = count(); }
      kprobe:SyS_getpriority / comm == "delete" / { delete @["key-a"]; }
      kprobe:SyS_getpriority / comm == "clear" / { clear(@); }
`)
	before, scraped := begin, time.Now()
	scrape := func(what string, a, b float64, newA, newB bool) {
		t.Helper()
		got := s.counters(t, "ply_calls_total")
		for key, want := range map[string]struct {
			value float64
			isNew bool
		}{"key-a": {a, newA}, "key-b": {b, newB}} {
			c, there := got[key]
			if c.value != want.value || there != (want.value > 0) {
				t.Errorf("%s: %s is %v, want %v", what, key, c.value, want.value)
			}
			if isNew := !c.at.Before(before) && !c.at.After(time.Now()); want.isNew && !isNew || there && c.at.Before(begin) {
				t.Errorf("%s: %s starts at %v, want it after %v", what, key, c.at, before)
			} else if there && !want.isNew && !c.at.Before(scraped) {
				t.Errorf("%s: %s starts at %v, want it before %v", what, key, c.at, scraped)
			}
		}
		before, scraped = scraped, time.Now()
	}
	calls := func(names ...string) {
		for _, name := range names {
			callAs(name)
		}
	}
	calls("key-a")
	scrape("first", 1, 0, true, false)
	calls("key-b", "key-a")
	scrape("b is new", 2, 1, false, true)
	calls("delete")
	scrape("a is deleted", 0, 1, false, false)
	calls("key-a", "key-a", "key-a", "key-b")
	scrape("a came back larger", 3, 2, true, false)
	calls("clear", "key-a", "key-b", "key-b", "key-b")
	scrape("cleared", 1, 3, true, true)
}
