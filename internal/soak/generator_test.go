package soak

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ply-exporter/internal/promtest"
)

// marker is an argument of the generator's calls that nobody else gives.
const marker = 99

// A generator makes events, the number of which it knows.
type generator struct {
	over chan bool
	made chan uint64
}

// generate begins to call getpriority, a thousand times a second.
func generate() *generator {
	g := &generator{make(chan bool), make(chan uint64)}
	go g.run()
	return g
}

func (g *generator) run() {
	runtime.LockOSThread()
	var n uint64
	for {
		select {
		case <-g.over:
			g.made <- n
			return
		case <-time.After(time.Millisecond):
		}
		_, _, _ = unix.RawSyscall(unix.SYS_GETPRIORITY, marker, uintptr(n%keys), 0)
		n++
	}
}

// end stops it, and returns how many events there were.
func (g *generator) end() uint64 {
	close(g.over)
	return <-g.made
}

func largest(line []promtest.Point) float64 {
	return slices.MaxFunc(line, byValue).Value
}

func median(line []promtest.Point) float64 {
	sorted := slices.SortedFunc(slices.Values(line), byValue)
	return sorted[len(sorted)/2].Value
}

func byValue(a, b promtest.Point) int {
	switch {
	case a.Value < b.Value:
		return -1
	case a.Value > b.Value:
		return 1
	}
	return 0
}
