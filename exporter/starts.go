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
// scrape was sent, in milliseconds. Hence two rules:
//
//   - A start is the next full millisecond after the reading began. No update
//     before the reading began is missing from it.
//   - The reading must have ended before the scrape that shows the series was
//     requested. That is the reading before, but for scrapes that wait for each
//     other.
//
// Any scrape is a reading, whoever sends it: the times are right for all.

// A startTime is in nanoseconds since 1970.
type startTime int64

// A readingTime is when a script's maps were read.
type readingTime struct{ begin, end time.Time }

// A readingLog holds the times of the latest readings, the newest last.
type readingLog []readingTime

// maxReadingLog is how many readings are remembered: more than requests can wait
// for each other.
const maxReadingLog = 2 * maxAnswers

func (l *readingLog) add(t readingTime) {
	*l = append(*l, t)
	if len(*l) > maxReadingLog {
		*l = slices.Delete(*l, 0, 1)
	}
}

// before returns the start of series that are new in a reading which was
// requested at a time; created is that of the script.
func (l readingLog) before(asked, created time.Time) startTime {
	for _, t := range slices.Backward(l) {
		if !t.end.After(asked) {
			return startTime(t.begin.Truncate(time.Millisecond).Add(time.Millisecond).UnixNano())
		}
	}
	return startTime(created.UnixNano())
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
		if s.round == t.round && (anew || t.isNew(n) || t.mp.Fell(t.valueIn(t.was, n), t.value(n))) {
			s.start = from.start
		}
	}
}
