package exporter

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxAnswers is how many answers of one handler may be in memory: the one
	// being made, and those that clients still read.
	maxAnswers = 4

	// readTime is what a client has to read its answer. When there is no room
	// for another answer, the oldest is taken away from those who still read it
	// after secureTime.
	readTime   = 15 * time.Second
	secureTime = time.Second
)

// An answers shares the answers of a handler between equal requests that come
// while it is being made, and bounds what they take: clients that ask and do
// not read cost neither much memory nor the answers of others.
type answers struct {
	next       http.Handler
	maxClients int
	log        *limitedLog

	turn chan struct{} // one answer is made at a time, because making it takes more memory than it has
	lock sync.Mutex    // guards held, and clients and madeAt of each
	held []*answer     // oldest first
}

func newAnswers(next http.Handler, maxClients int, log *limitedLog) *answers {
	return &answers{next: next, maxClients: maxClients, log: log, turn: make(chan struct{}, 1)}
}

// An answer is what a handler responded, and the clients that get it.
type answer struct {
	key     string
	content recording
	made    chan struct{} // closed when content is complete
	madeAt  time.Time     // zero before
	clients map[*http.ResponseController]bool
}

// keyOf is equal for requests that may have the same answer.
func keyOf(r *http.Request) string {
	return strings.Join([]string{
		r.URL.RawQuery,
		strings.Join(r.Header.Values("Accept"), ","),
		strings.Join(r.Header.Values("Accept-Encoding"), ","),
	}, "\n")
}

// askedKey is that of a request's context value: when it arrived.
type askedKey struct{}

// askedAt returns when a request arrived, which then waited for its turn.
func askedAt(r *http.Request) time.Time {
	if at, ok := r.Context().Value(askedKey{}).(time.Time); ok {
		return at
	}
	return time.Now()
}

func (s *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(context.WithValue(r.Context(), askedKey{}, time.Now()))
	client := http.NewResponseController(w)
	a, first := s.join(keyOf(r), client)
	if a == nil {
		s.log.warn("request refused: too many are under way", "client", r.RemoteAddr, "path", r.URL.Path)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests are under way (--web.max-requests): try again", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(a, client)
	if first {
		s.make(a, r)
	}
	select {
	case <-a.made:
	case <-r.Context().Done():
		return
	}
	if err := s.send(a, w, client); err != nil {
		s.log.warn("client did not read the response", "client", r.RemoteAddr, "path", r.URL.Path, "err", err)
	}
}

// join makes a client one of those that wait for an answer that is being made,
// or the first of a new one. It returns nil when there is no room.
func (s *answers) join(key string, client *http.ResponseController) (a *answer, first bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.clients() >= s.maxClients && !s.cutOldest() {
		return nil, false
	}
	for _, a := range s.held {
		if a.key == key && a.madeAt.IsZero() {
			a.clients[client] = true
			return a, false
		}
	}
	if len(s.held) >= maxAnswers && !s.cutOldest() {
		return nil, false
	}
	a = &answer{key: key, made: make(chan struct{}), clients: map[*http.ResponseController]bool{client: true}}
	s.held = append(s.held, a)
	return a, true
}

func (s *answers) clients() int {
	n := 0
	for _, a := range s.held {
		n += len(a.clients)
	}
	return n
}

// cutOldest disconnects the clients that still read the oldest answer, if they
// had time to.
func (s *answers) cutOldest() bool {
	i := slices.IndexFunc(s.held, func(a *answer) bool {
		return !a.madeAt.IsZero() && time.Since(a.madeAt) >= secureTime
	})
	if i < 0 {
		return false
	}
	for client := range s.held[i].clients {
		_ = client.SetWriteDeadline(time.Now())
	}
	s.held = slices.Delete(s.held, i, i+1)
	return true
}

func (s *answers) leave(a *answer, client *http.ResponseController) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(a.clients, client)
	if len(a.clients) == 0 && !a.madeAt.IsZero() {
		s.held = slices.DeleteFunc(s.held, func(other *answer) bool { return other == a })
	}
}

// make has the handler respond. If it panics, which net/http reports, the
// other clients get an error.
func (s *answers) make(a *answer, r *http.Request) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	a.content.header, a.content.status = http.Header{}, http.StatusInternalServerError
	defer func() {
		s.lock.Lock()
		a.madeAt = time.Now()
		s.lock.Unlock()
		close(a.made)
	}()
	content := recording{header: http.Header{}, status: http.StatusOK}
	s.next.ServeHTTP(&content, r)
	a.content = content
}

// send writes an answer that is made.
func (s *answers) send(a *answer, w http.ResponseWriter, client *http.ResponseController) error {
	s.lock.Lock()
	held := slices.Contains(s.held, a)
	if held {
		_ = client.SetWriteDeadline(time.Now().Add(readTime))
	}
	s.lock.Unlock()
	if !held {
		return fmt.Errorf("its answer was %s old", secureTime)
	}
	return a.content.writeTo(w)
}

// A recording is a response that is kept, in pieces so that it never has to
// move when it grows.
type recording struct {
	header http.Header
	status int
	pieces [][]byte
	size   int
}

const pieceSize = 64 << 10

func (r *recording) Header() http.Header { return r.header }

func (r *recording) WriteHeader(status int) { r.status = status }

// Write never fails.
func (r *recording) Write(p []byte) (int, error) {
	n := len(p)
	r.size += n
	for len(p) > 0 {
		last := len(r.pieces) - 1
		if last < 0 || len(r.pieces[last]) == pieceSize {
			r.pieces = append(r.pieces, make([]byte, 0, pieceSize))
			last++
		}
		fits := min(len(p), pieceSize-len(r.pieces[last]))
		r.pieces[last] = append(r.pieces[last], p[:fits]...)
		p = p[fits:]
	}
	return n, nil
}

func (r *recording) writeTo(w http.ResponseWriter) error {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(r.size))
	w.WriteHeader(r.status)
	for _, piece := range r.pieces {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return http.NewResponseController(w).Flush()
}

// A limitedLog logs what clients can cause, a few lines a minute.
type limitedLog struct {
	log   *slog.Logger
	limit *rate.Limiter
}

func newLimitedLog(log *slog.Logger) *limitedLog {
	return &limitedLog{log, rate.NewLimiter(rate.Every(10*time.Second), 5)}
}

func (l *limitedLog) warn(msg string, args ...any) {
	if l.limit.Allow() {
		l.log.Warn(msg, args...)
	}
}

// Println is for the library that renders metrics.
func (l *limitedLog) Println(args ...any) {
	if l.limit.Allow() {
		l.log.Error(strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
	}
}
