package cli

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/report"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// A session is a running script.
type session struct {
	Streams
	flags   *runFlags
	obj     *object.Object
	tracer  *tracer.Tracer
	printer report.Printer
	decoder *decode.Decoder
	broken  chan struct{} // closed when output can no longer be written
	lock    chan struct{} // held while printing
	unread  bool          // a map could not be read
}

// trace runs a compiled script until it ends or a signal stops it.
func (p *program) trace(f *runFlags, k *kernel.Kernel, obj *object.Object, child *child, process *tracee) int {
	signals := handleInterrupts(child)
	defer signals.restore()
	defer ignoreSIGPIPE()()
	defer child.end()
	s := &session{Streams: p.Streams, flags: f, obj: obj, broken: make(chan struct{}), lock: make(chan struct{}, 1)}
	ready := make(chan struct{})
	machine := decode.NewMachine(k)
	machine.SymbolsFrom(func() (decode.SymbolTable, error) { return tracer.OpenSymbols() })
	machine.ShowOnce()
	if err := machine.PrepareFor(obj); err != nil {
		fmt.Fprintf(s.messages(), "warning: %v\n", err)
	}
	t, err := tracer.Start(obj, tracer.Options{Kernel: k, Cgroups: machine, OnEvent: func(e *object.Event, record []byte) {
		<-ready
		s.event(e, record)
	}})
	if err != nil && process.hasEnded() {
		return s.fail(s.prefix() + process.ended())
	}
	if err != nil {
		return s.fail(plylang.Detail(tracer.Diagnose(err)))
	}
	s.tracer = t
	s.decoder = decode.New(machine, obj.Probes, t)
	s.printer = s.newPrinter()
	s.attached()
	close(ready)
	status := s.wait(signals.first, child, process)
	close(signals.stopped)
	fmt.Fprintln(s.Err, "de-activating probes")
	late := time.AfterFunc(maxDelay, child.end)
	status = s.finish(status)
	close(signals.printed)
	late.Stop()
	child.end()
	return s.detach(status)
}

// maxDelay is how long the command may continue while the maps are printed,
// which may have to wait for a slow reader.
const maxDelay = time.Second

func (s *session) newPrinter() report.Printer {
	if s.flags.format == "json" {
		return report.NewJSON(s.Out, s.decoder)
	}
	return report.NewText(s.Out, s.decoder, report.DrawsBlocks(s.Out))
}

// attached reports how many probes are attached, and with -v how.
func (s *session) attached() {
	active := s.tracer.Active()
	fmt.Fprintf(s.Err, "%s active\n", plural(active, "probe"))
	s.printer.Attached(active)
	s.checkOutput()
	said := map[string]bool{} // clauses at one probe are one program
	for _, p := range s.tracer.Probes() {
		line := fmt.Sprintf("%s: %s, %s: %s", p.Spec, p.Attach, plural(p.Covers, "attach point"), p.Why)
		if s.flags.verbose && !said[line] {
			fmt.Fprintln(s.messages(), line)
		}
		said[line] = true
		if p.Err != nil {
			fmt.Fprintf(s.messages(), "warning: %s: %v\n", p.Spec, p.Err)
		}
	}
}

// plural is "1 probe" or "2 probes".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// wait resumes the command and returns when the run is over: by a signal, the
// time limit, the end of the command, exit(), or output that nobody reads.
func (s *session) wait(signaled <-chan struct{}, child *child, process *tracee) (status int) {
	limit, redraw := never(), never()
	if s.flags.time.Duration > 0 {
		limit = time.After(s.flags.time.Duration)
	}
	if s.flags.interval.Duration > 0 {
		t := time.NewTicker(s.flags.interval.Duration)
		defer t.Stop()
		redraw = t.C
	}
	select {
	case <-signaled:
		return statusOK
	case status := <-s.tracer.Exited(): // in BEGIN: the command is not started
		return status
	default:
	}
	done := child.release()
	if s.flags.command == "" && s.flags.interval.Duration == 0 && s.onlyRunByUs() {
		return statusOK
	}
	for {
		select {
		case <-signaled:
			return statusOK
		case <-limit:
			return statusOK
		case <-done:
			return child.status()
		case <-process.done():
			fmt.Fprintln(s.Err, process.ended())
			return statusOK
		case status := <-s.tracer.Exited():
			return status
		case <-s.broken:
			return statusError
		case <-redraw:
			s.redraw()
		}
	}
}

// onlyRunByUs says whether the script has no probes but BEGIN and END, so that
// there is nothing to wait for.
func (s *session) onlyRunByUs() bool {
	return !slices.ContainsFunc(s.obj.Programs, func(p *object.Program) bool {
		return p.Attach != object.AttachBegin && p.Attach != object.AttachEnd
	})
}

func never() <-chan time.Time { return nil }

// finish stops the script, prints the maps and the losses, and returns the exit
// status. The probes are still attached then: detaching takes seconds, in which
// a signal could take the maps away.
func (s *session) finish(status int) int {
	_ = s.tracer.Stop() // Close returns the error again
	select {            // exit() in END, or at the same time as a signal
	case n := <-s.tracer.Exited():
		status = max(status, n)
	default:
	}
	s.maps()
	s.late()
	s.faults()
	ended := s.ended()
	status = s.worst(status, s.lost() || ended)
	switch err := s.printer.Err(); {
	case errors.Is(err, syscall.EPIPE): // the reader has exited, as in "| head -1"
		return statusError
	case err != nil:
		return s.failOutput(err)
	}
	return status
}

// worst is the status of a run after what went wrong without ending it.
func (s *session) worst(status int, lost bool) int {
	if status == statusOK && (lost && !s.flags.keep || s.unread) {
		return statusError
	}
	return status
}

// detach takes the script out of the kernel.
func (s *session) detach(status int) int {
	if err := s.tracer.Close(); err != nil {
		fmt.Fprintf(s.Err, "%s%v\n", s.prefix(), err)
		return max(status, statusError)
	}
	return status
}

// lost reports lost events and updates and returns whether there were any.
func (s *session) lost() bool {
	missed, updates, events := s.missed(), s.refused(), s.tracer.LostEvents()
	if events > 0 {
		fmt.Fprintf(s.Err, "%d events were lost: they arrived faster than they could be printed\n", events)
	}
	if events+updates+missed > 0 {
		s.printer.Lost(events, updates, missed)
	}
	return events+updates+missed > 0
}

// ended reports the probes that ended before the script, and returns whether there were any:
// what happened there afterwards is not counted.
func (s *session) ended() (any bool) {
	for _, p := range s.tracer.Probes() {
		if p.Ended != nil {
			any = true
			fmt.Fprintf(s.Err, "%v has ended early: %v\n", p.Spec, p.Ended)
		}
	}
	return any
}

// faults reports what could not be read.
func (s *session) faults() {
	if n := s.tracer.Faults(); n > 0 {
		fmt.Fprintf(s.Err, "%s of the memory of processes failed, and gave zero or the empty string: nothing is at the address, or its page is not in memory\n", plural(int(n), "reading"))
	}
}

// late reports the clears that had to wait.
func (s *session) late() {
	for _, m := range s.obj.Maps {
		if n := s.tracer.LateClears(m); n > 0 {
			fmt.Fprintf(s.Err, "%s of %s came late: the map is cleared faster than it can be read and emptied\n", plural(int(n), "clear"), m.Name)
		}
	}
}

// missed reports the events that the kernel did not run the probes for.
func (s *session) missed() (all uint64) {
	for _, m := range s.tracer.Missed() {
		all += m.Events
		fmt.Fprintf(s.Err, "%d events of %s were missed by the kernel\n", m.Events, m.Specs)
	}
	return all
}

// refused reports the updates that full maps refused.
func (s *session) refused() (all uint64) {
	for _, m := range s.obj.Maps {
		if n := s.tracer.Dropped(m); n > 0 {
			all += n
			fmt.Fprintf(s.Err, "%d updates of %s were lost: the map is full (%d keys)\n", n, m.Name, m.MaxEntries)
		}
	}
	if n := s.tracer.LostBegins(); n > 0 {
		all += n
		fmt.Fprintf(s.Err, "%d calls were lost: elapsed has no room for when they began, or the kernel skipped that\n", n)
	}
	return all
}

// redraw prints the maps; on a terminal it overwrites the previous output.
func (s *session) redraw() {
	if s.flags.format == "text" && report.IsTerminal(s.Out) {
		const home, erase = "\x1b[H", "\x1b[J"
		fmt.Fprint(s.Out, home+erase)
	}
	s.maps()
}

// maps prints the current content of every map.
func (s *session) maps() {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	for _, m := range s.obj.Maps {
		s.printMap(m, s.printer.Final)
	}
	s.checkOutput()
}

func (s *session) printMap(m *object.Map, show func(*object.Map, []tracer.Row)) {
	rows, err := s.tracer.Rows(m)
	s.showMap(m, rows, err, show)
}

func (s *session) showMap(m *object.Map, rows []tracer.Row, err error, show func(*object.Map, []tracer.Row)) {
	if err != nil {
		fmt.Fprintf(s.Err, "%s%s: %v\n", s.prefix(), m.Name, err)
		s.unread = true
		return
	}
	s.decoder.NumbersRead()
	show(m, rows)
}

// event prints one event. It is called in the order of the events.
func (s *session) event(e *object.Event, record []byte) {
	var rows []tracer.Row
	var err error
	if e.Kind == object.EventPrintMap {
		rows, err = s.tracer.Printed(e, record) // may wait, so without the lock
	}
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	s.decoder.EventRead()
	switch e.Kind {
	case object.EventPrint:
		s.printer.Print(e, record)
	case object.EventPrintf:
		s.printer.Printf(e, record)
	case object.EventPrintMap:
		s.showMap(e.Map, rows, err, s.printer.Map)
	}
	s.checkOutput()
}

// checkOutput ends the run when output can no longer be written. It is called
// after each print, with the lock held.
func (s *session) checkOutput() {
	if s.printer.Err() == nil {
		return
	}
	select {
	case <-s.broken:
	default:
		close(s.broken)
	}
}
