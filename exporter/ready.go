package exporter

// A readiness is what /-/ready says. It is kept where no lock is needed: a scrape
// that hangs in the kernel does not make the exporter look unready.
type readiness int32

const (
	starting readiness = iota
	idle               // no script runs, nor waits for a program
	ready
)

func (r readiness) String() string {
	switch r {
	case starting:
		return "is starting its scripts"
	case idle:
		return "runs none of its scripts"
	}
	return "is ready"
}

// noteReady notes whether a script runs, after some were started or stopped. With
// opt.KeepGoing it need not. Only who may change the scripts calls it.
func (in *instance) noteReady() {
	r := idle
	if in.opt.KeepGoing {
		r = ready
	}
	for _, s := range in.collector.scripts {
		if s.counts() || s.waits() != nil {
			r = ready
		}
	}
	in.readiness.Store(int32(r))
}
