package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Counters
//
// software:page-faults:1 and hardware:cache-misses:1000000 fire each time that
// an event has happened that often, on any CPU.

const perfTypeHardware = 0 // PERF_TYPE_HARDWARE

// A counter is an event that perf counts.
type counter struct {
	name    string
	aliases []string
	config  uint64
	period  uint64 // when the specification gives none
}

var softwareProvider = newProvider("software")

var hardwareProvider = newProvider("hardware")

func init() {
	softwareProvider.scopes = counterScopes(softwareProvider, perfTypeSoftware, softwareCounters)
	softwareProvider.list = listCounters(softwareProvider, softwareCounters)
	hardwareProvider.scopes = counterScopes(hardwareProvider, perfTypeHardware, hardwareCounters)
	hardwareProvider.list = listCounters(hardwareProvider, hardwareCounters)
}

// softwareCounters are those of enum perf_sw_ids. The clocks count nanoseconds.
var softwareCounters = []counter{
	{"cpu-clock", []string{"cpu"}, perfCPUClock, 1e6},
	{"task-clock", nil, 1, 1e6},
	{"page-faults", []string{"faults"}, 2, 1},
	{"context-switches", []string{"cs"}, 3, 1},
	{"cpu-migrations", []string{"migrations"}, 4, 1},
	{"minor-faults", nil, 5, 1},
	{"major-faults", nil, 6, 1},
	{"alignment-faults", nil, 7, 1},
	{"emulation-faults", nil, 8, 1},
	{"cgroup-switches", nil, 11, 1},
}

// hardwareCounters are those of enum perf_hw_id.
var hardwareCounters = []counter{
	{"cpu-cycles", []string{"cycles"}, 0, 1e6},
	{"instructions", nil, 1, 1e6},
	{"cache-references", nil, 2, 1e6},
	{"cache-misses", nil, 3, 1e6},
	{"branch-instructions", []string{"branches"}, 4, 1e6},
	{"branch-misses", nil, 5, 1e6},
	{"bus-cycles", nil, 6, 1e6},
	{"frontend-stalls", []string{"stalled-cycles-frontend"}, 7, 1e6},
	{"backend-stalls", []string{"stalled-cycles-backend"}, 8, 1e6},
	{"ref-cycles", nil, 9, 1e6},
}

func counterScopes(p *Provider, kind uint32, counters []counter) func(*Resolver, *plylang.Spec, plylang.Uses) ([]*Scope, error) {
	return func(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
		c, err := parseCounter(p.Name, spec.Target, counters)
		if err != nil {
			return nil, err
		}
		if kind == perfTypeHardware && r.kernel.LacksCounters() {
			return nil, missingf("this machine has no hardware counters, as most virtual machines: count with a software event or with profile:99hz")
		}
		cpus, err := r.kernel.OnlineCPUs()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s:%d", c.name, c.period)
		event := object.PerfEvent{Name: name, Type: kind, Config: c.config, Period: c.period, CPUs: cpus}
		why := fmt.Sprintf("perf event %s, one in %d, on %s", c.name, c.period, plural(len(cpus), "CPU"))
		return timerScope(p, spec, uses, event, why), nil
	}
}

// parseCounter parses event[:period]; the counter it returns has the period.
func parseCounter(provider, target string, counters []counter) (counter, error) {
	name, period, given := strings.Cut(target, ":")
	var names []string
	for _, c := range counters {
		names = append(append(names, c.name), c.aliases...)
	}
	for _, c := range counters {
		if c.name != name && !slices.Contains(c.aliases, name) {
			continue
		}
		if !given {
			return c, nil
		}
		n, err := strconv.ParseUint(period, 10, 63)
		if err != nil || n == 0 {
			return c, fmt.Errorf("%q is no period: write how many events make it fire, %s:%s:%d", period, provider, c.name, c.period)
		}
		c.period = n
		return c, checkCounter(provider, c)
	}
	hint := plylang.DidYouMean(name, names)
	if hint == "" {
		hint = ": there are " + strings.Join(names, ", ")
	}
	return counter{}, fmt.Errorf("no %s event named %q%s", provider, name, hint)
}

// checkCounter refuses what would fire so often that the machine does little
// else: clocks count nanoseconds, and hardware counts instructions.
func checkCounter(provider string, c counter) error {
	least := uint64(1)
	switch {
	case strings.HasSuffix(c.name, "-clock"):
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
