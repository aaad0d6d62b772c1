package probe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Counters
//
// software:page-faults:1 and hardware:cache-misses:1000000 fire each time that
// an event has happened that often, on any CPU. hardware:cpu-cycles:99hz lets the
// kernel choose how often that is, anew at each tick, so that it fires 99 times a second; then
// each firing stands for another number of events, which is period.

// A counter is an event that perf counts.
type counter struct {
	name    string
	aliases []string
	kind    uint32
	config  uint64
	period  uint64 // when the specification gives none
	freq    uint64 // firings a second, in place of the period
}

var softwareProvider = newProvider("software", periodRow)

var hardwareProvider = newProvider("hardware", periodRow)

func init() {
	for i := range softwareCounters {
		softwareCounters[i].kind = perfTypeSoftware
	}
	softwareProvider.scopes = counterScopes(softwareProvider, softwareCounters)
	softwareProvider.list = listCounters(softwareProvider, softwareCounters)
	all := append(slices.Clone(hardwareCounters), cacheCounters()...)
	hardwareProvider.scopes = counterScopes(hardwareProvider, all)
	hardwareProvider.list = listCounters(hardwareProvider, all)
}

// softwareCounters are those of enum perf_sw_ids. The clocks count nanoseconds.
var softwareCounters = []counter{
	{name: "cpu-clock", aliases: []string{"cpu"}, config: perfCPUClock, period: 1e6},
	{name: "task-clock", config: 1, period: 1e6},
	{name: "page-faults", aliases: []string{"faults"}, config: 2, period: 1},
	{name: "context-switches", aliases: []string{"cs"}, config: 3, period: 1},
	{name: "cpu-migrations", aliases: []string{"migrations"}, config: 4, period: 1},
	{name: "minor-faults", config: 5, period: 1},
	{name: "major-faults", config: 6, period: 1},
	{name: "alignment-faults", config: 7, period: 1},
	{name: "emulation-faults", config: 8, period: 1},
	{name: "cgroup-switches", config: 11, period: 1},
}

// hardwareCounters are those of enum perf_hw_id, of kind PERF_TYPE_HARDWARE, which is 0.
var hardwareCounters = []counter{
	{name: "cpu-cycles", aliases: []string{"cycles"}, config: 0, period: 1e6},
	{name: "instructions", config: 1, period: 1e6},
	{name: "cache-references", config: 2, period: 1e6},
	{name: "cache-misses", config: 3, period: 1e6},
	{name: "branch-instructions", aliases: []string{"branches"}, config: 4, period: 1e6},
	{name: "branch-misses", config: 5, period: 1e6},
	{name: "bus-cycles", config: 6, period: 1e6},
	{name: "frontend-stalls", aliases: []string{"stalled-cycles-frontend"}, config: 7, period: 1e6},
	{name: "backend-stalls", aliases: []string{"stalled-cycles-backend"}, config: 8, period: 1e6},
	{name: "ref-cycles", config: 9, period: 1e6},
}

func counterScopes(p *Provider, counters []counter) func(*Resolver, *plylang.Spec, plylang.Uses) ([]*Scope, error) {
	return func(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
		c, err := parseCounter(p.Name, spec.Target, counters)
		if err != nil {
			return nil, err
		}
		if p == hardwareProvider && r.kernel.LacksCounters() {
			return nil, missingf("this machine has no hardware counters, as most virtual machines: count with a software event or with profile:99hz")
		}
		cpus, err := r.kernel.OnlineCPUs()
		if err != nil {
			return nil, err
		}
		event := object.PerfEvent{Name: fmt.Sprintf("%s:%d", c.name, c.period), Type: c.kind, Config: c.config, Period: c.period, CPUs: cpus}
		often := fmt.Sprintf("one in %d", c.period)
		if c.freq > 0 {
			event.Name, event.Period, event.Freq = fmt.Sprintf("%s:%dhz", c.name, c.freq), 0, c.freq
			often = fmt.Sprintf("%d times a second", c.freq)
		}
		why := fmt.Sprintf("perf event %s, %s, on %s", c.name, often, plural(len(cpus), "CPU"))
		scopes := timerScope(p, spec, uses, event, why, periodVar(c.isClock()))
		if s := scopes[0]; c.freq > 0 && !c.isClock() && !s.wants(periodRow.Name) {
			s.notes = append(s.notes, fmt.Sprintf("with a rate, each firing stands for another number of %s: sum(period) estimates all, count() says how often the probe fired", c.name))
		}
		return scopes, nil
	}
}

// isClock says whether the counter counts nanoseconds.
func (c *counter) isClock() bool { return strings.HasSuffix(c.name, "-clock") }

// hasRate says whether the kernel can choose the period. For what software counts it takes
// each period for the one before, so that it soon is far too long, and is said at the firing
// that begins it.
func (c *counter) hasRate() bool { return c.kind != perfTypeSoftware || c.isClock() }

// periodRow is how much of what is counted a firing stands for.
var periodRow = variableRow("period", "how many events this firing stands for, or how much time")

// periodVar is the variable where the kernel hands it over, behind the registers.
func periodVar(isTime bool) *Var {
	t := plylang.U64
	if isTime {
		t = plylang.DurationT
	}
	return newVar(periodRow, t, func(c *Context) {
		c.Emit(asm.LoadMem(asm.R0, asm.R6, int16(c.Kernel.Arch().Context), asm.DWord))
	})
}

// parseCounter parses event, event:period and event:Nhz; the counter it returns has
// the period or the rate.
func parseCounter(provider, target string, counters []counter) (counter, error) {
	name, often, given := strings.Cut(target, ":")
	var names, short []string // short ones are worth listing
	for _, c := range counters {
		names = append(append(names, c.name), c.aliases...)
		if c.kind != perfTypeCache {
			short = names
		}
	}
	for _, c := range counters {
		if c.name == name || slices.Contains(c.aliases, name) {
			if !given {
				return c, nil
			}
			return c.every(provider, often)
		}
	}
	hint := plylang.DidYouMean(name, names)
	if hint == "" {
		hint = ": there are " + strings.Join(short, ", ")
		if len(short) < len(names) {
			hint += ", and those of caches, such as L1-dcache-load-misses"
		}
	}
	return counter{}, fmt.Errorf("no %s event named %q%s", provider, name, hint)
}

// every is the counter with the period or the rate that a text says.
func (c counter) every(provider, text string) (counter, error) {
	if digits, isRate := strings.CutSuffix(text, "hz"); isRate {
		n, err := strconv.ParseUint(digits, 10, 63)
		switch {
		case err == nil && !c.hasRate():
			return c, fmt.Errorf("%s has no rate, since the kernel finds no period for it: after a few in quick succession it waits for thousands, "+
				"and says that these have been: write how many make it fire, %s:%s:100", c.name, provider, c.name)
		case err == nil:
			c.freq = n
			return c, checkRate(n)
		}
	}
	n, ok := parsePeriod(text)
	if !ok {
		err := fmt.Errorf("%q is no period: write how many events make it fire, %s:%s:%d", text, provider, c.name, c.period)
		if c.hasRate() {
			err = fmt.Errorf("%w, or how often it is to fire, %s:%s:99hz", err, provider, c.name)
		}
		return c, err
	}
	c.period = n
	return c, checkCounter(provider, c)
}

// parsePeriod reads a number, which may have a suffix of thousands.
func parsePeriod(text string) (n uint64, ok bool) {
	unit := uint64(1)
	for suffix, times := range map[string]uint64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if digits, has := strings.CutSuffix(text, suffix); has {
			text, unit = digits, times
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return n * unit, err == nil && n > 0 && n <= math.MaxInt64/unit
}

// checkCounter refuses what would fire so often that the machine does little
// else: clocks count nanoseconds, and hardware counts instructions.
func checkCounter(provider string, c counter) error {
	least := uint64(1)
	switch {
	case c.isClock():
		least = 1e9 / maxRate
	case provider == hardwareProvider.Name:
		least = 1000
	}
	if c.period < least {
		return fmt.Errorf("%s:%s:%d fires too often: use a period of %d or more", provider, c.name, c.period, least)
	}
	return nil
}

func listCounters(p *Provider, counters []counter) func(*kernel.Kernel, *kernel.Glob, bool) ([]Listed, error) {
	return func(_ *kernel.Kernel, glob *kernel.Glob, _ bool) ([]Listed, error) {
		var out []Listed
		for _, c := range counters {
			if glob.Match(c.name) {
				out = append(out, Listed{Name: p.Name + ":" + c.name})
			}
		}
		return out, nil
	}
}
