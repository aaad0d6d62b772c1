package main

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A load makes events on one CPU, as fast as it can, in short rounds. What one
// event takes with nothing attached is subtracted from what it takes with a
// program. The least round counts: all that a busy machine does to one is to make
// it longer.
type load struct {
	comm    string  // of the thread
	event   func()  // makes one event
	partner bool    // another thread makes events in turn with it
	bare    float64 // ns of one with nothing attached, the least so far; 0: not measured
}

const (
	loadRounds = 800
	roundSize  = 500 // events of a thread in a round
)

// cost is what the load's event takes longer than with nothing attached.
func (l *load) cost(attached func() error) (float64, error) {
	if alone := l.least(); l.bare == 0 || alone < l.bare {
		l.bare = alone
	}
	if err := attached(); err != nil {
		return 0, err
	}
	return l.least() - l.bare, nil
}

// least gives the ns of one event in the shortest round.
func (l *load) least() float64 {
	var turns atomic.Int64 // of the partner
	var end atomic.Bool
	if l.partner {
		go l.thread(func() {
			for !end.Load() {
				l.event()
				turns.Add(1)
			}
		})
	}
	least := make(chan float64)
	go l.thread(func() {
		shortest := math.Inf(1)
		for i := 0; i < loadRounds || math.IsInf(shortest, 1); i++ {
			shortest = min(shortest, l.round(&turns))
		}
		end.Store(true)
		least <- shortest
	})
	return <-least
}

// round gives the ns of one event. A round in which one thread waited for
// something else, while the other took turns with nobody, is none.
func (l *load) round(turns *atomic.Int64) float64 {
	before, begin := turns.Load(), time.Now()
	for range roundSize {
		l.event()
	}
	took, others := time.Since(begin), turns.Load()-before
	if l.partner && max(others-roundSize, roundSize-others) > 1 {
		return math.Inf(1)
	}
	return float64(took) / float64(roundSize+others)
}

// thread runs f in a thread of its own, which has the load's name and the first
// CPU, and gives it up to nobody; where that is not allowed, rounds are only less
// alike.
func (l *load) thread(f func()) {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	name := append([]byte(l.comm), 0)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptrOf(name), 0, 0, 0)
	var first unix.CPUSet
	first.Set(0)
	_ = unix.SchedSetaffinity(0, &first)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	f()
}
