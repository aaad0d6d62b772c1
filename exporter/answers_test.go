package exporter

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Equal requests that come while the answer is being made share it, and the
// reading of the maps. Others wait their turn.
func TestScrapesShareOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := &fakeTracer{rows: map[string][]pair{"@": {{nil, words(7)}}}, block: make(chan struct{})}
		b := &fakeBackend{
			scripts: map[string]string{"S": on(`@ = count();`)},
			tracers: map[string]*fakeTracer{"S": tracer},
		}
		handler := (&instance{opt: testOptions(b, ""), collector: run(t, b, oneScriptYAML(""))}).handler()
		var scrapes sync.WaitGroup
		for _, accept := range []string{"", "", "", "application/openmetrics-text"} {
			scrapes.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				r.Header.Set("Accept", accept)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != 200 || !strings.Contains(w.Body.String(), "ply_net_total 7") || strings.Contains(w.Body.String(), "# EOF") != (accept != "") {
					t.Errorf("%q: status %d\n%s", accept, w.Code, w.Body)
				}
			})
		}
		synctest.Wait() // one reads, the others wait
		close(tracer.block)
		scrapes.Wait()
		if tracer.reads != 2 {
			t.Errorf("three equal scrapes and another read %d times, want 2", tracer.reads)
		}
	})
}

// A panic of the handler is its first client's; the others get an error.
func TestPanicOfAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := make(chan struct{})
		panics := func(http.ResponseWriter, *http.Request) {
			<-entered
			panic("as wanted")
		}
		s := newAnswers(http.HandlerFunc(panics), 2, newLimitedLog(slog.New(slog.DiscardHandler)))
		go func() {
			defer func() { _ = recover() }()
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}()
		synctest.Wait()
		second := httptest.NewRecorder()
		go s.ServeHTTP(second, httptest.NewRequest(http.MethodGet, "/", nil))
		synctest.Wait()
		close(entered)
		synctest.Wait()
		if second.Code != http.StatusInternalServerError || len(s.held) > 0 {
			t.Errorf("status %d, %d answers held", second.Code, len(s.held))
		}
	})
}

// A stalled client asked for something and reads nothing of it.
func stalledClient(t *testing.T, server *http.Server, key int) {
	client, conn := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	go func() { _ = server.Serve(&oneConn{conn: conn, closed: make(chan struct{})}) }()
	_, _ = fmt.Fprintf(client, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;x=%d\r\n\r\n", key)
	synctest.Wait()
}

// So many answers are in memory at most. Beyond that a request is refused, until
// the oldest has been there long enough to be taken away; then the clients that
// still do not read it are disconnected.
func TestAnswersInMemoryAreBounded(t *testing.T) {
	for _, tt := range []struct {
		name                       string
		maxRequests, clients, keys int
	}{
		{"different answers", 100, maxAnswers, maxAnswers},
		{"clients", 3, 3, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, yaml := demo()
				opt := testOptions(b, "")
				opt.MaxRequests = tt.maxRequests
				var log bytes.Buffer
				opt.Log = slog.New(slog.NewTextHandler(&log, nil))
				in := &instance{opt: opt, collector: run(t, b, yaml)}
				handler := in.handler()
				for i := range tt.clients {
					server := in.newServer(handler)
					defer server.Close()
					stalledClient(t, server, i%tt.keys)
				}
				ask := func() int {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
					return w.Code
				}
				if got := ask(); got != http.StatusServiceUnavailable {
					t.Errorf("one more: status %d", got)
				}
				time.Sleep(secureTime)
				if got := ask(); got != http.StatusOK {
					t.Errorf("one more after %s: status %d", secureTime, got)
				}
				time.Sleep(readTime)
				synctest.Wait()
				if got := strings.Count(log.String(), "did not read"); got != tt.clients {
					t.Errorf("%d of %d clients told of:\n%s", got, tt.clients, &log)
				}
			})
		})
	}
}

// However many clients go away, the log has a few lines.
func TestAbortedScrapesInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, yaml := demo()
		opt := testOptions(b, "")
		var log bytes.Buffer
		opt.Log = slog.New(slog.NewTextHandler(&log, nil))
		in := &instance{opt: opt, collector: run(t, b, yaml)}
		handler := in.handler()
		for range 100 {
			handler.ServeHTTP(gone{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		}
		if got := strings.Count(log.String(), "\n"); got < 1 || got > 5 {
			t.Errorf("%d lines for 100 aborted scrapes:\n%s", got, &log)
		}
	})
}

// gone is the answer to a client that went away.
type gone struct{ *httptest.ResponseRecorder }

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
