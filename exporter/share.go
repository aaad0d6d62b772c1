package exporter

import (
	"math"
	"sort"
	"time"
)

// Fair shares
//
// A bound on the series of a scrape that is used up in the order of scripts
// would let a script whose keys strangers can choose silence those behind it.
// So every script gets an equal share, what it does not need goes to the
// others, and within a script the maps share alike. Series without a label are
// outside all shares: there are only as many as the configuration has metrics.

// fairShares divides room by needs: the smallest are met in full, the others
// get equal parts of what is left.
func fairShares(room int, needs []int) []int {
	order := make([]int, len(needs))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return needs[order[i]] < needs[order[j]] })
	shares := make([]int, len(needs))
	for n, i := range order {
		shares[i] = min(needs[i], room/(len(needs)-n))
		room -= shares[i]
	}
	return shares
}

// rooms returns how many series each of the maps read may send, by script.
func (c *collector) rooms(read []*running) [][]int {
	room := c.maxSeries
	if room == 0 {
		room = math.MaxInt // no bound
	}
	needs := make([][]int, len(read))
	totals := make([]int, len(read))
	for i, r := range read {
		for _, reading := range r.last {
			n := reading.series.keyed()
			needs[i] = append(needs[i], n)
			totals[i] += n
			room -= reading.series.sent() - n
		}
	}
	rooms := make([][]int, len(read))
	for i, share := range fairShares(max(0, room), totals) {
		rooms[i] = fairShares(share, needs[i])
	}
	return rooms
}

// sent is how many series of this round would be sent without a bound.
func (t *mapSeries) sent() int {
	if !t.m.exported {
		return 0
	}
	return t.shown * t.m.seriesPerSample()
}

// keyed is how many of its series a bound may cut.
func (t *mapSeries) keyed() int {
	if len(t.m.labels) == 0 {
		return 0
	}
	return t.sent()
}

// cutLogEvery is the least time between two log lines about the same script.
const cutLogEvery = time.Minute

// noteCut logs that series of a script are left out, when that begins.
func (c *collector) noteCut(r *running, omitted int) {
	begins := omitted > 0 && !r.cut
	r.cut = omitted > 0
	if begins && time.Since(r.cutLogged) >= cutLogEvery {
		r.cutLogged = time.Now()
		c.log.Warn("series are left out: the script exceeds its share of --metrics.max-series",
			"script", r.conf.Name, "omitted", omitted, "max_series", c.maxSeries)
	}
}
