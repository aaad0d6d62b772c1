package dashboards

import (
	"fmt"
	"strings"
)

// Queries suit classic histograms and native ones: they ask for the native one, or, if
// there is none, for the buckets. `or` keeps of its right side the series whose labels
// the left side does not have, so both sides must have the same labels, and where they
// cannot, as in a heat map, `or on()` takes one side. No query selects a bucket by the
// text of its bound, which formats and versions of Prometheus write differently.

// instances selects the series of the chosen instances.
const instances = `job=~"$job", instance=~"$instance"`

// A query is an expression over a window: the step of the picture, or all that it
// shows. fill is the expression with the window's length and time filled in.
type query func(w window) string

// A window is the range of a rate and the time at which it ends.
type window struct{ length, at string }

var (
	step  = window{"$__rate_interval", ""}
	whole = window{"$__range", " @ end()"}
)

// read is a gauge: as it is, or over a range its largest or smallest value. An instance
// that is gone at the end of the picture has that, too.
func (w window) read(which, metric, filter string) string {
	if w.at == "" {
		return metric + "{" + filter + "}"
	}
	return fmt.Sprintf("%s_over_time(%s{%s}[%s]%s)", which, metric, filter, w.length, w.at)
}

// top is the query for the n series that are largest over all that the picture
// shows, so that they are the same at each of its points.
func (q query) top(n int) query {
	return func(w window) string { return fmt.Sprintf("(%s) and topk(%d, %s)", q(w), n, q(whole)) }
}

func (q query) String() string { return q(step) }

// rate is how much a counter grows in a second, by labels.
func rate(metric, filter string, labels ...string) query {
	return func(w window) string {
		return fmt.Sprintf("%s (rate(%s{%s}[%s]%s))", sumBy(labels), metric, filter, w.length, w.at)
	}
}

// sumBy is the aggregation that keeps labels.
func sumBy(labels []string) string { return by("sum", labels) }

func by(aggregation string, labels []string) string {
	if len(labels) == 0 {
		return aggregation
	}
	return fmt.Sprintf("%s by (%s)", aggregation, strings.Join(labels, ", "))
}

// gauge is a gauge as it is, aggregated over what labels do not tell apart.
func gauge(aggregation, metric, filter string, labels ...string) query {
	return func(w window) string {
		return fmt.Sprintf("%s (%s)", by(aggregation, labels), w.read("max", metric, filter))
	}
}

// or is the first of two queries that gives anything for a set of labels.
func (q query) or(other query) query {
	return func(w window) string { return q(w) + " or " + other(w) }
}

// over is a quotient.
func (q query) over(other query) query {
	return func(w window) string { return q(w) + " / " + other(w) }
}

// call puts a query into a function, before which format has other arguments.
func (q query) call(format string, args ...any) query {
	return func(w window) string { return fmt.Sprintf(format, args...) + q(w) + ")" }
}

// events is how many values a histogram gets in a second, by labels.
func events(metric, filter string, labels ...string) query {
	return rate(metric, filter, labels...).call("histogram_count(").or(rate(metric+"_count", filter, labels...))
}

// quantile is a quantile of the values of a histogram, by labels.
func quantile(q float64, metric, filter string, labels ...string) query {
	bounds := append(labels[:len(labels):len(labels)], "le")
	return rate(metric, filter, labels...).call("histogram_quantile(%v, ", q).
		or(rate(metric+"_bucket", filter, bounds...).call("histogram_quantile(%v, ", q))
}

// buckets are those of a histogram: one native one, or a series for each bound.
func buckets(metric, filter string) query {
	return func(w window) string {
		return rate(metric, filter)(w) + " or on() " + rate(metric+"_bucket", filter, "le")(w)
	}
}

// mean is the mean of the values of a summary, by labels.
func mean(metric, filter string, labels ...string) query {
	return rate(metric+"_sum", filter, labels...).over(rate(metric+"_count", filter, labels...))
}
