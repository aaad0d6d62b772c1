package probe

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// Timers
//
// profile fires on every CPU, or on one, that many times a second, wherever
// that CPU is; interval fires on one CPU only. Both are the kernel's software
// event cpu-clock, a high-resolution timer that runs on idle CPUs too.

const (
	perfTypeSoftware = 1 // PERF_TYPE_SOFTWARE
	perfCPUClock     = 0 // PERF_COUNT_SW_CPU_CLOCK

	// maxRate is how often a timer may fire: above it the machine would do
	// little else, and the kernel throttles.
	maxRate = 10_000
)

var profileProvider = newProvider("profile", periodRow)

var intervalProvider = newProvider("interval")

func init() {
	profileProvider.scopes = profileScopes
	intervalProvider.scopes = intervalScopes
}

func profileScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	p, err := parseProfile(spec.Target)
	if err != nil {
		return nil, err
	}
	cpus, err := r.kernel.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%dhz", p.rate)
	if p.cpu >= 0 {
		if cpus, err = onlyCPU(cpus, p.cpu); err != nil {
			return nil, err
		}
		name = fmt.Sprintf("%d:%dhz", p.cpu, p.rate)
	}
	event := object.PerfEvent{Name: name, Type: perfTypeSoftware, Config: perfCPUClock, Freq: p.rate, CPUs: cpus, Only: p.cpu >= 0}
	return timerScope(profileProvider, spec, uses, event, "cpu-clock timer on "+plural(len(cpus), "CPU"), periodVar(true)), nil
}

func intervalScopes(r *Resolver, spec *plylang.Spec, uses plylang.Uses) ([]*Scope, error) {
	period, err := parseInterval(spec.Target)
	if err != nil {
		return nil, err
	}
	cpus, err := r.kernel.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	event := object.PerfEvent{Name: intervalText(period), Type: perfTypeSoftware, Config: perfCPUClock, Period: uint64(period), CPUs: cpus[:1], Anywhere: true}
	return timerScope(intervalProvider, spec, uses, event, "cpu-clock timer on one CPU"), nil
}

// timerScope is a scope of one event.
func timerScope(p *Provider, spec *plylang.Spec, uses plylang.Uses, event object.PerfEvent, why string, vars ...*Var) []*Scope {
	s := newScope(p, spec, uses, object.AttachPerfEvent)
	s.why, s.vars = why, vars
	s.add(event, event.Name, false)
	return []*Scope{s}
}

func onlyCPU(online []int, cpu int) ([]int, error) {
	for _, c := range online {
		if c == cpu {
			return []int{cpu}, nil
		}
	}
	return nil, missingf("cpu %d is not online; %s online", cpu, plural(len(online), "CPU"))
}

// A profileTarget is [cpu:]Nhz, or hz:N; cpu is -1 when it is not given.
type profileTarget struct {
	cpu  int
	rate uint64
}

func parseProfile(target string) (profileTarget, error) {
	bad := badProfile(target)
	p := profileTarget{cpu: -1}
	text := target
	if cpu, rest, ok := strings.Cut(target, ":"); cpu == "hz" {
		text = rest
	} else if ok {
		n, err := strconv.ParseUint(cpu, 10, 16)
		if err != nil {
			return p, bad
		}
		p.cpu, text = int(n), rest
	}
	rate, err := strconv.ParseUint(strings.TrimSuffix(text, "hz"), 10, 64)
	if err != nil {
		return p, bad
	}
	p.rate = rate
	return p, checkRate(rate)
}

// badProfile says how a rate is written, also instead of the time between two
// samples.
func badProfile(target string) error {
	example := "write profile:99hz, or profile:0:99hz for CPU 0 only"
	if period, err := parseInterval(target); err == nil && period <= time.Second {
		example = fmt.Sprintf("write profile:%dhz", time.Second/period)
	}
	return fmt.Errorf("profile %q is no rate: %s", target, example)
}

func checkRate(rate uint64) error {
	switch {
	case rate == 0:
		return fmt.Errorf("a rate of 0 never fires: use 1hz or more")
	case rate > maxRate:
		return fmt.Errorf("%dhz is too fast: use %dhz or less", rate, maxRate)
	}
	return nil
}

// intervalUnits are the units of an interval. hz is a rate instead.
var intervalUnits = []struct {
	name string
	unit time.Duration
}{
	{"ns", time.Nanosecond}, {"us", time.Microsecond}, {"ms", time.Millisecond},
	{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour},
}

// parseInterval parses N, Nunit and unit:N.
func parseInterval(target string) (time.Duration, error) {
	text := target
	if unit, n, ok := strings.Cut(target, ":"); ok {
		text = n + unit
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	n, err := strconv.ParseUint(text[:digits], 10, 64)
	if err != nil {
		return 0, badInterval(target)
	}
	unit := text[digits:]
	if unit == "hz" {
		return time.Second / time.Duration(max(n, 1)), checkRate(n)
	}
	if unit == "" {
		unit = "s"
	}
	for _, u := range intervalUnits {
		if u.name == unit {
			return checkInterval(n, u.unit)
		}
	}
	return 0, badInterval(target)
}

func badInterval(target string) error {
	return fmt.Errorf("interval %q is no time: write interval:10ms, or interval:s:1; units are ns, us, ms, s, m, h and hz", target)
}

func checkInterval(n uint64, unit time.Duration) (time.Duration, error) {
	const shortest = time.Second / maxRate
	switch {
	case n == 0:
		return 0, fmt.Errorf("an interval of 0 has no meaning: use 100us or more")
	case n > math.MaxInt64/uint64(unit):
		return 0, fmt.Errorf("the interval is longer than 292 years")
	}
	d := time.Duration(n) * unit
	if d < shortest {
		return 0, fmt.Errorf("an interval of %v is too short: use 100us or more", d)
	}
	return d, nil
}

// intervalText is the canonical spelling: the largest unit that gives a whole
// number.
func intervalText(d time.Duration) string {
	for i := len(intervalUnits) - 1; i > 0; i-- {
		if u := intervalUnits[i]; d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%dns", d)
}
