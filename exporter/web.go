package exporter

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// writeTimeout is of what is not one of answers, which have a shorter one.
const writeTimeout = time.Minute

// newServer returns a server for one listener. The toolkit puts a handler that
// asks for a password around the server's own. It has no exceptions, so the
// server wraps it once more when it begins to accept, and answers the health
// checks itself.
func (in *instance) newServer(h http.Handler) *http.Server {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       limitBuffer,
		ErrorLog:          slog.NewLogLogger(in.opt.Log.Handler(), slog.LevelDebug),
	}
	server.BaseContext = func(net.Listener) context.Context {
		server.Handler = in.health(server.Handler)
		return context.Background()
	}
	return server
}

// limitBuffer bounds what the kernel keeps for a client that does not read,
// which is several megabytes otherwise and counts as the exporter's memory.
func limitBuffer(ctx context.Context, conn net.Conn) context.Context {
	const size = 64 << 10
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(size)
	}
	return ctx
}

// Where the exporter tells of itself.
const (
	statusPath = "/api/v1/status"
	configPath = "/config"
)

// handler is shared by all listeners, and so are its bounds.
func (in *instance) handler() http.Handler {
	log := newLimitedLog(in.opt.Log)
	bounded := func(h http.Handler) http.Handler {
		return newAnswers(h, in.opt.MaxRequests, log)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+only(in.opt.TelemetryPath), bounded(&metricsHandler{in.collector, in.opt.CreatedSamples, log}))
	mux.HandleFunc("POST /-/reload", in.serveReload)
	mux.HandleFunc("PUT /-/reload", in.serveReload)
	mux.Handle("GET "+statusPath, bounded(http.HandlerFunc(in.serveStatus)))
	mux.Handle("GET "+configPath, bounded(http.HandlerFunc(in.serveConfig)))
	if in.opt.Profiles {
		addProfiles(mux)
	}
	if in.opt.TelemetryPath != "/" {
		mux.Handle("GET "+only("/"), bounded(http.HandlerFunc(in.servePage)))
	}
	return mux
}

// only is a pattern of a path alone: what ends in a slash is one of all below it.
func only(path string) string {
	if path == "/" {
		return "/{$}"
	}
	return path
}

// health answers /-/healthy and /-/ready without a password.
func (in *instance) health(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, "ply-exporter is healthy.\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		status := http.StatusServiceUnavailable
		r := readiness(in.readiness.Load())
		if r == ready {
			status = http.StatusOK
		}
		say(w, status, "ply-exporter "+r.String()+".\n")
	})
	mux.Handle("/", next)
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
