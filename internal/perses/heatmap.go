package main

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// Perses draws heat maps of native histograms only, on a linear axis. So the answer to
// a query for classic buckets becomes a native histogram, whose bounds are exponents of
// two.

// An answer is what Prometheus answers to a range query.
type answer struct {
	Status string `json:"status"`
	Data   struct {
		ResultType string   `json:"resultType"`
		Result     []series `json:"result"`
	} `json:"data"`
}

type series struct {
	Metric     map[string]string `json:"metric"`
	Values     [][2]any          `json:"values,omitempty"`
	Histograms [][2]any          `json:"histograms,omitempty"`
}

// isClassic says that the series are the buckets of one classic histogram.
func (a *answer) isClassic() bool {
	for _, s := range a.Data.Result {
		if len(s.Metric) != 1 || s.Metric["le"] == "" {
			return false
		}
	}
	return len(a.Data.Result) > 0
}

// withHistogram returns an answer with its classic buckets as a native histogram;
// others as they are.
func withHistogram(text []byte) []byte {
	var a answer
	if json.Unmarshal(text, &a) != nil || !a.isClassic() {
		return text
	}
	slices.SortFunc(a.Data.Result, func(x, y series) int {
		if number(x.Metric["le"]) < number(y.Metric["le"]) {
			return -1
		}
		return 1
	})
	counts := map[float64][]float64{} // by time, cumulative
	for i, s := range a.Data.Result {
		for _, v := range s.Values {
			at := v[0].(float64)
			if counts[at] == nil {
				counts[at] = make([]float64, len(a.Data.Result))
			}
			counts[at][i] = number(v[1].(string))
		}
	}
	out := series{Metric: map[string]string{}}
	times := make([]float64, 0, len(counts))
	for at := range counts {
		times = append(times, at)
	}
	slices.Sort(times)
	for _, at := range times {
		out.Histograms = append(out.Histograms, [2]any{at, a.histogram(counts[at])})
	}
	a.Data.Result = []series{out}
	made, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return made
}

// histogram has a bucket for each bound with something in it.
func (a *answer) histogram(cumulative []float64) map[string]any {
	buckets := [][]any{}
	below := 0.0
	for i, n := range cumulative {
		upper := math.Log2(number(a.Data.Result[i].Metric["le"]))
		lower := upper - 1
		if i > 0 {
			lower = math.Log2(number(a.Data.Result[i-1].Metric["le"]))
		}
		if math.IsInf(upper, 0) {
			upper = lower + 1
		}
		if n > below {
			buckets = append(buckets, []any{0, text(lower), text(upper), text(n - below)})
		}
		below = n
	}
	return map[string]any{"count": text(below), "sum": "0", "buckets": buckets}
}

func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func text(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
