package exporter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/bpfgen/object"
)

// Whatever keys come and go, a scrape has those that are there, each label once,
// in the order of the labels; keys of the same label are added.
func TestSeriesAreWhatIsInTheMap(t *testing.T) {
	tracer := &fakeTracer{}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(`@[pid] = count();`)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(""))
	known := c.scripts[0].running.series[0]
	labelOf := func(key int64) string { return strconv.FormatInt(key*key%1789, 36) }
	tracer.text = func(v object.Value) string { return labelOf(v.Int()) }
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		want := map[string]int64{}
		tracer.rows = map[string][]pair{}
		for _, key := range r.Perm(4000)[:r.IntN(1<<r.IntN(12))] {
			n := r.Int64N(1000)
			tracer.rows["@"] = append(tracer.rows["@"], pair{words(int64(key)), words(n)})
			want[labelOf(int64(key))] += n
		}
		var lines strings.Builder
		for _, label := range slices.Sorted(maps.Keys(want)) {
			fmt.Fprintf(&lines, "ply_net_total{pid=%q} %d\n", label, want[label])
		}
		if got := afterComments(scrape(t, c)); got != lines.String() {
			t.Fatalf("round %d: got\n%.500s\nwant\n%.500s", round, got, lines.String())
		}
	}
	if n, m := known.keys.Len(), len(known.list); n > 2*4000+1024 || m > n {
		t.Errorf("%d keys and %d series are remembered", n, m)
	}
}

// afterComments is the text of one metric without its comments.
func afterComments(text string) string {
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}
