package promtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Sample is one element of an instant vector. The value of a native histogram is
// its count.
type Sample struct {
	Metric map[string]string // labels; the metric's name is __name__
	Value  float64
}

// Query evaluates a PromQL expression now. A scalar is one Sample without
// labels. A wrong expression fails the test.
func (s *Server) Query(promql string) []Sample {
	s.t.Helper()
	samples, err := s.query(promql)
	if err != nil {
		s.t.Fatalf("%s: %v", promql, err)
	}
	return samples
}

// Value is the value of an expression that must give exactly one sample.
func (s *Server) Value(promql string) float64 {
	s.t.Helper()
	samples := s.Query(promql)
	if len(samples) != 1 {
		s.t.Fatalf("%s: want one sample, got %v", promql, samples)
	}
	return samples[0].Value
}

// WaitValue waits until an expression has this value: a count that was made just
// now is there only after the next scrape. The test fails if it never has, or if
// a value beyond want is seen, because a counter does not come back.
func (s *Server) WaitValue(promql string, want float64) {
	s.t.Helper()
	last := "nothing"
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		value, ok := s.value(promql)
		if ok {
			last = fmt.Sprint(value)
		}
		if ok && value == want {
			return
		}
		if ok && value > want {
			break
		}
	}
	s.t.Fatalf("%s: want %v, got %s", promql, want, last)
}

// value is the value of an expression that gives one sample, if it does.
func (s *Server) value(promql string) (float64, bool) {
	samples, err := s.query(promql)
	if err != nil || len(samples) != 1 {
		return 0, false
	}
	return samples[0].Value, true
}

func (s *Server) query(promql string) ([]Sample, error) {
	response, err := http.Get(s.url + "/api/v1/query?query=" + url.QueryEscape(promql))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return parseAnswer(response.Body)
}

// point is a time and a value: [1700000000.123, "42"].
type point [2]any

func (p point) value() (float64, error) {
	text, ok := p[1].(string)
	if !ok {
		return 0, fmt.Errorf("not a point: %v", p)
	}
	return strconv.ParseFloat(text, 64)
}

type element struct {
	Metric    map[string]string
	Value     point
	Histogram [2]any // a time and a histogram
}

// number is the value, of a native histogram its count.
func (e *element) number() (float64, error) {
	if h, ok := e.Histogram[1].(map[string]any); ok {
		return point{e.Histogram[0], h["count"]}.value()
	}
	return e.Value.value()
}

// parseAnswer reads what Prometheus's /api/v1/query answers.
func parseAnswer(from io.Reader) ([]Sample, error) {
	var answer struct {
		Error string
		Data  struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.NewDecoder(from).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	var elements []element
	switch answer.Data.ResultType {
	case "scalar":
		elements = make([]element, 1)
		if err := json.Unmarshal(answer.Data.Result, &elements[0].Value); err != nil {
			return nil, err
		}
	case "vector":
		if err := json.Unmarshal(answer.Data.Result, &elements); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("cannot read a %s: ask for an instant vector", answer.Data.ResultType)
	}
	samples := make([]Sample, len(elements))
	for i, e := range elements {
		value, err := e.number()
		if err != nil {
			return nil, err
		}
		samples[i] = Sample{e.Metric, value}
	}
	return samples, nil
}

// A Point is a value at a time.
type Point struct {
	Time  time.Time
	Value float64
}

// Range evaluates an expression that gives at most one series from one time to
// another. Times without a value are left out.
func (s *Server) Range(promql string, from, to time.Time, step time.Duration) []Point {
	s.t.Helper()
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	response, err := http.Get(s.url + "/api/v1/query_range?" + url.Values{
		"query": {promql}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	}.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []struct{ Values []point } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		s.t.Fatalf("%s: %v", promql, err)
	}
	if answer.Error != "" || len(answer.Data.Result) > 1 {
		s.t.Fatalf("%s: %s, %d series, want one", promql, answer.Error, len(answer.Data.Result))
	}
	var line []Point
	for _, series := range answer.Data.Result {
		for _, p := range series.Values {
			at, ok := p[0].(float64)
			value, err := p.value()
			if !ok || err != nil {
				s.t.Fatalf("%s: %v is no point", promql, p)
			}
			line = append(line, Point{time.UnixMilli(int64(at * 1000)), value})
		}
	}
	return line
}
