package exporter

import (
	"slices"
	"time"
)

// Start times
//
// A counter, summary or histogram says since when it counts. What is in a map
// when it is read for the first time counts since the script started. A series
// that appears later counts since a reading at which it was absent, and one
// whose value has fallen since a reading at which it had the larger one: its
// key has left the map and come back. Keys that are gone are not remembered:
// the absence from one reading is enough. After a clear() all series of the map
// start at that time.
//
// Prometheus can put a 0 at that time. It must then lie after the sample, or
// the mark of absence, that Prometheus has of the series from an earlier
// scrape, and before the sample of this one: a 0 between two samples of the
// same count would be one reset too many. The time of a sample is when its
// scrape was sent, in milliseconds, and may be moved by two of them. Hence two
// rules:
//
//   - A start is three milliseconds after what was read had been written: until
//     then, other scrapes get the same response.
//   - It was written before the scrape that shows the series was requested, and
//     the start is not later than that. It is the reading before, but for scrapes
//     that wait for each other.
//
// The first scrape may have waited for the scripts to start, and its sample has a
// time before that. Everything then started when the exporter began to listen: it
// was 0 all the time since, and no earlier exporter has samples after that. A script
// that a reload has started, or that was detached, may have had samples until it took
// the place of the one before. It starts then, or when the scrape was requested.
//
// Any scrape is a reading, whoever sends it: the times are right for all.

// A startTime is in nanoseconds since 1970.
type startTime int64

// A readingLog holds when the latest readings were written, the newest last.
type readingLog []time.Time

// stampTolerance is by how much Prometheus may move the time of a scrape: the
// default of its --scrape.timestamp-tolerance.
const stampTolerance = 2 * time.Millisecond

// maxReadingLog is how many readings are remembered: more than requests can wait
// for each other.
const maxReadingLog = 2 * maxAnswers

func (l *readingLog) add(at time.Time) {
	*l = append(*l, at)
	if len(*l) > maxReadingLog {
		*l = slices.Delete(*l, 0, 1)
	}
}

// after is the first start that is later than all samples of what was written at a time.
func after(at time.Time) time.Time {
	return at.Truncate(time.Millisecond).Add(time.Millisecond + stampTolerance)
}

// before returns the start of series that are new in a reading which was
// requested at a time; created is that of the script.
func (l readingLog) before(asked, created time.Time) startTime {
	for _, at := range slices.Backward(l) {
		if !at.After(asked) {
			return startTime(min(after(at).UnixNano(), asked.UnixNano()))
		}
	}
	return startTime(created.UnixNano())
}

// waited notes when the script started for a scrape that was requested at a time,
// which may have waited for it.
func (r *running) waited(asked time.Time) {
	if len(r.reads) > 0 || !asked.Before(r.created) {
		return
	}
	if !r.opened.IsZero() {
		asked = r.opened
	}
	r.startAt(asked)
}

// follow notes that the script is scraped from now on. It has counted before, while
// series of the same names may have had samples of the script that it replaces.
func (r *running) follow(now time.Time) { r.startAt(after(now)) }

// startAt sets when what is shown of the script starts, also for the next process.
func (r *running) startAt(at time.Time) {
	r.created = at
	r.tracer.StartAt(at)
}

// An origin is where the series start that are new in a reading.
type origin struct {
	asked time.Time // when it was requested
	start startTime
}

// clearedAt is the origin where the map was cleared after the reading before.
func (o origin) clearedAt(at time.Time) origin {
	if !at.After(o.asked) {
		o.start = max(o.start, startTime(at.UnixNano()))
	}
	return o
}

// setStarts sets the start of the series that are new in this round: all, if
// the map was cleared, those that were not there in the round before, and those
// whose value has fallen.
func (t *mapSeries) setStarts(cleared time.Time, from origin) {
	if !t.m.starts() {
		return
	}
	anew := cleared.After(t.cleared)
	if anew {
		t.cleared, from = cleared, from.clearedAt(cleared)
	}
	for i := range t.list {
		s, n := &t.list[i], uint32(i)
		if s.round == t.round && (anew || t.isNew(n) || t.fell(n)) {
			s.start, s.coarser = from.start, 0
		}
	}
}

// fell says that the value of a series has fallen since the round before. Sums of a
// ledger do not.
func (t *mapSeries) fell(n uint32) bool {
	return (t.ledger == nil || !t.ledger.adds) && t.mp.Fell(t.was.at(n), t.value(n))
}
