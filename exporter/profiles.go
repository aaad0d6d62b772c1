package exporter

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"
)

// Profiles of the exporter itself
//
// These are the addresses that go tool pprof asks, and what net/http/pprof answers there.
// That package also tells how a profile changes over some seconds, as go tool pprof -diff_base
// does with two of them, for which it brings along a reader and a writer of profiles: 0.26 MB.

const profilesPath = "/debug/pprof/"

func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET "+profilesPath+"{$}", listProfiles)
	mux.HandleFunc("GET "+profilesPath+"{name}", serveProfile)
	mux.HandleFunc("GET "+profilesPath+"profile", serveRecording(pprof.StartCPUProfile, pprof.StopCPUProfile, 30))
	mux.HandleFunc("GET "+profilesPath+"trace", serveRecording(trace.Start, trace.Stop, 1))
}

func listProfiles(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%sprofile?seconds=30\n%[1]strace?seconds=1\n", profilesPath)
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s%s?debug=1 (%d)\n", profilesPath, p.Name(), p.Count())
	}
}

// serveProfile answers a profile of what is now, or was since the start.
func serveProfile(w http.ResponseWriter, r *http.Request) {
	p := pprof.Lookup(r.PathValue("name"))
	if p == nil {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("seconds") != "" {
		http.Error(w, "how this changes is not told: take two, and give one to go tool pprof -diff_base", http.StatusBadRequest)
		return
	}
	typ := "application/octet-stream"
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	if gc, _ := strconv.Atoi(r.URL.Query().Get("gc")); gc > 0 && p.Name() == "heap" {
		runtime.GC() // the heap is as the last collection left it
	}
	if debug != 0 {
		typ = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", typ)
	_ = p.WriteTo(w, debug)
}

// serveRecording answers what is recorded from now on for as many seconds as are asked for.
func serveRecording(start func(io.Writer) error, stop func(), usual float64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
		if err != nil || !(seconds > 0) {
			seconds = usual
		}
		if longest := writeTimeout.Seconds(); seconds >= longest {
			http.Error(w, fmt.Sprintf("seconds must be less than %g", longest), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		if err := start(w); err != nil {
			http.Error(w, err.Error(), http.StatusConflict) // another one is recorded
			return
		}
		defer stop()
		select {
		case <-time.After(time.Duration(seconds * float64(time.Second))):
		case <-r.Context().Done():
		}
	}
}
