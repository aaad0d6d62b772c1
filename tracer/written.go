package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// Files that are written in place
//
// The kernel keeps the instruction which its breakpoint replaces, and never looks at the
// file again. When somebody writes another program into the same file, as cp does onto one
// that is there, programs that start get breakpoints at the places of the old functions, and
// execute the old instructions there: they crash or compute something else. So probes in a
// file end with the first write to it, at once, and the script has to be started again.

// writes tells the scripts of this process of writes to files that they have probes in.
var writes writeWatch

// A writeWatch is an inotify instance, which is open while anybody watches a file.
type writeWatch struct {
	mu      sync.Mutex
	events  *os.File
	watched map[int32][]watchedFile
}

// A watchedFile is a file in which a script has probes.
type watchedFile struct {
	tracer *Tracer
	path   string
	id     object.FileID
}

// add has a script be told of the first write to a file.
func (w *writeWatch) add(f watchedFile) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		w.events, w.watched = os.NewFile(uintptr(fd), "inotify"), map[int32][]watchedFile{}
		go w.listen(w.events)
	}
	wd, err := w.control(func(fd int) (int, error) { return unix.InotifyAddWatch(fd, f.path, unix.IN_MODIFY) })
	if err == nil {
		w.watched[int32(wd)] = append(w.watched[int32(wd)], f)
	}
	w.endUnused()
	if err != nil {
		return fmt.Errorf("inotify: %s: %w", f.path, err)
	}
	return nil
}

// remove has a script be told of nothing any more.
func (w *writeWatch) remove(t *Tracer) {
	w.removeThose(func(f watchedFile) bool { return f.tracer == t })
}

// removeFile has a script be told nothing of a file any more.
func (w *writeWatch) removeFile(t *Tracer, id object.FileID) {
	w.removeThose(func(f watchedFile) bool { return f.tracer == t && f.id == id })
}

func (w *writeWatch) removeThose(those func(watchedFile) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for wd, files := range w.watched {
		files = slices.DeleteFunc(files, those)
		if w.watched[wd] = files; len(files) > 0 {
			continue
		}
		delete(w.watched, wd)
		_, _ = w.control(func(fd int) (int, error) { return unix.InotifyRmWatch(fd, uint32(wd)) }) // the file may be gone
	}
	w.endUnused()
}

// endUnused closes the instance while nobody watches anything.
func (w *writeWatch) endUnused() {
	if w.events != nil && len(w.watched) == 0 {
		_ = w.events.Close()
		w.events = nil
	}
}

func (w *writeWatch) control(do func(fd int) (int, error)) (n int, err error) {
	c, err := w.events.SyscallConn()
	if err != nil {
		return 0, err
	}
	if failed := c.Control(func(fd uintptr) { n, err = do(int(fd)) }); failed != nil {
		return 0, failed
	}
	return n, err
}

// listen tells of writes until the instance is closed.
func (w *writeWatch) listen(events *os.File) {
	buffer := make([]byte, 64*unix.SizeofInotifyEvent)
	for {
		n, err := events.Read(buffer)
		if err != nil {
			return
		}
		files := w.of(events, buffer[:n])
		for _, f := range files {
			f.tracer.endIn(f)
		}
		for _, f := range files { // when nobody keeps an old instruction any more
			f.tracer.noteEnd(f)
		}
	}
}

// of are those who are to be told of events. Where events were lost, these are all.
func (w *writeWatch) of(events *os.File, buffer []byte) (told []watchedFile) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if events != w.events {
		return nil
	}
	for len(buffer) > 0 {
		var e unix.InotifyEvent
		if err := binary.Read(bytes.NewReader(buffer), binary.NativeEndian, &e); err != nil {
			return told
		}
		buffer = buffer[unix.SizeofInotifyEvent+int(e.Len):]
		switch {
		case e.Mask&unix.IN_Q_OVERFLOW != 0:
			for _, files := range w.watched {
				told = append(told, files...)
			}
		case e.Mask&unix.IN_MODIFY != 0:
			told = append(told, w.watched[e.Wd]...)
		}
	}
	return told
}

// watchWrites has the script be told of writes to files in which it will have probes.
func (t *Tracer) watchWrites(points []object.AttachPoint) {
	for _, at := range points {
		if f, ok := at.Site.(object.UserFunction); ok && !t.watched[f.File] {
			if t.watched == nil {
				t.watched = map[object.FileID]bool{}
			}
			t.watched[f.File] = true
			held.add(t, f)
			t.watchWritesTo(f)
		}
	}
}

func (t *Tracer) watchWritesTo(f object.UserFunction) {
	if err := writes.add(watchedFile{t, f.Path, f.File}); err != nil {
		t.opt.log().Warn("when a file is written in place, programs in it crash while probes are attached: not noticed", "file", f.Path, "err", err)
	}
}

// endIn detaches the programs that have probes in a file.
func (t *Tracer) endIn(f watchedFile) {
	errs := []error{t.unpin()}
	for _, p := range t.in(f) {
		p.mu.Lock()
		links := closers(p.takeLinks())
		p.mu.Unlock()
		errs = append(errs, links.Close())
	}
	if err := errors.Join(errs...); err != nil {
		t.opt.log().Error("probes may still be where programs crash", "file", f.path, "err", err)
	}
}

// noteEnd remembers that there are no probes in a file any more.
func (t *Tracer) noteEnd(f watchedFile) {
	for _, p := range t.in(f) {
		p.mu.Lock()
		news := p.written == ""
		p.written = f.path
		p.mu.Unlock()
		if news {
			t.opt.log().Warn("probe detached", "reason", p.lostFile())
		}
	}
}

// in are the programs that are attached in a file.
func (t *Tracer) in(f watchedFile) (programs []*program) {
	t.life.RLock()
	defer t.life.RUnlock()
	for _, p := range t.programs {
		p.mu.Lock()
		is := slices.ContainsFunc(p.attached, func(at object.AttachPoint) bool {
			u, ok := at.Site.(object.UserFunction)
			return ok && u.File == f.id
		})
		p.mu.Unlock()
		if is && !t.closed {
			programs = append(programs, p)
		}
	}
	return programs
}

// lostFile says which file was written to, with the probes that were in it.
func (p *program) lostFile() error {
	if p.written == "" {
		return nil
	}
	return fmt.Errorf("%s was written to, and the probes in it were detached: programs would crash where they are", p.written)
}
