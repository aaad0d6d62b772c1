package kernel

import (
	"bufio"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// A Feature is something only some kernels can do.
type Feature string

// The features. A row of each is in Features.
const (
	Kprobe              Feature = "kprobe"
	KprobeMulti         Feature = "kprobe_multi"
	Cookie              Feature = "cookie"
	FuncIP              Feature = "func_ip"
	FetchingAtomics     Feature = "fetching_atomics"
	RawTracepointsExact Feature = "raw_tracepoints_exact"
	MissedCounts        Feature = "missed_counts"
	TypedTask           Feature = "typed_task"
	TypedCast           Feature = "typed_cast"
	KprobeSession       Feature = "kprobe_session"
	HardwareCounters    Feature = "hardware_counters"
	Fentry              Feature = "fentry"
	UprobeMulti         Feature = "uprobe_multi"
)

// A FeatureRow says what is known about a feature without trying it.
type FeatureRow struct {
	Feature Feature
	Since   [2]int // first version that can have it
	Until   [2]int // first version that may have lost it; zero: none did
}

// Features are all features. Versions alone are a guess: the kernel's
// configuration, the architecture and lockdown decide too, so a prober should
// try.
var Features = []FeatureRow{
	{Kprobe, [2]int{4, 1}, [2]int{}},                   // CONFIG_KPROBES and CONFIG_KPROBE_EVENTS
	{KprobeMulti, [2]int{5, 18}, [2]int{}},             // kernel 5.18 with CONFIG_FPROBE
	{Cookie, [2]int{5, 15}, [2]int{}},                  // kernel 5.15
	{FuncIP, [2]int{5, 15}, [2]int{}},                  // kernel 5.15
	{FetchingAtomics, [2]int{5, 12}, [2]int{}},         // kernel 5.12
	{RawTracepointsExact, [2]int{4, 17}, [2]int{7, 0}}, // a kernel whose tracepoints are not preemptible
	{MissedCounts, [2]int{6, 7}, [2]int{}},             // kernel 6.7
	{TypedCast, [2]int{6, 2}, [2]int{}},                // kernel 6.2 with what TypedTask needs
	{KprobeSession, [2]int{6, 10}, [2]int{}},           // kernel 6.10 with CONFIG_FPROBE and CONFIG_DEBUG_INFO_BTF
	{HardwareCounters, [2]int{4, 1}, [2]int{}},         // a machine whose processors count
	{Fentry, [2]int{5, 5}, [2]int{}},                   // kernel 5.5 with CONFIG_DEBUG_INFO_BTF, CONFIG_FUNCTION_TRACER and trampolines for the architecture
	{UprobeMulti, [2]int{6, 6}, [2]int{}},              // kernel 6.6 with CONFIG_UPROBES
	{TypedTask, [2]int{5, 15}, [2]int{}},               // kernel 5.15 with CONFIG_DEBUG_INFO_BTF and a JIT compiler
}

// FeatureInfo returns a feature's row.
func FeatureInfo(f Feature) (row FeatureRow, ok bool) {
	for _, row := range Features {
		if row.Feature == f {
			return row, true
		}
	}
	return FeatureRow{}, false
}

// A Prober tries whether the running kernel has a feature. known is false when
// it could not find out.
type Prober func(Feature) (known, has bool)

// A featureCache keeps answers.
type featureCache struct {
	sync.Mutex
	prober  Prober
	answers map[Feature]bool
}

// SetProber sets what answers Has from now on; answers given before are
// forgotten. It is asked at most about once for each feature.
func (k *Kernel) SetProber(p Prober) {
	k.features.Lock()
	defer k.features.Unlock()
	k.features.prober, k.features.answers = p, nil
}

// Has says whether the kernel has a feature: as the prober answers; without
// one as the recorded kernel's list has it, and without that by the version.
func (k *Kernel) Has(f Feature) bool {
	k.features.Lock()
	prober := k.features.prober
	has, known := k.features.answers[f]
	k.features.Unlock()
	if known {
		return has
	}
	if prober != nil {
		known, has = prober(f) // may itself ask about other features
	}
	if !known {
		has = k.guess(f)
	}
	k.features.Lock()
	defer k.features.Unlock()
	if k.features.answers == nil {
		k.features.answers = map[Feature]bool{}
	}
	k.features.answers[f] = has
	return has
}

func (k *Kernel) guess(f Feature) bool {
	if recorded := k.recorded(); recorded != nil {
		return recorded[f]
	}
	if has, known := k.marked(f); known {
		return has
	}
	row, ok := FeatureInfo(f)
	return ok && row.In(k)
}

// In says whether a kernel of k's version can have the feature.
func (row FeatureRow) In(k *Kernel) bool {
	return k.AtLeast(row.Since[0], row.Since[1]) && (row.Until == [2]int{} || !k.AtLeast(row.Until[0], row.Until[1]))
}

// marks are the files that kernels with a feature have.
var marks = map[Feature]string{
	Kprobe: "sys/bus/event_source/devices/kprobe",
}

// marked says whether the kernel has a feature by its mark. That is not known
// when the folder for such marks is missing.
func (k *Kernel) marked(f Feature) (has, known bool) {
	name, ok := marks[f]
	if !ok {
		return false, false
	}
	_, errMark := fs.Stat(k.files, name)
	_, errFolder := fs.Stat(k.files, path.Dir(name))
	return errMark == nil, errMark == nil || errFolder == nil
}

// readRecorded reads the features of a recorded kernel, one name to a line; nil
// when there is no such list. "#" begins a comment.
func (k *Kernel) readRecorded() map[Feature]bool {
	if k.running() {
		return nil
	}
	file, err := k.files.Open("features")
	if err != nil {
		return nil
	}
	defer file.Close()
	has := map[Feature]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, _, _ := strings.Cut(lines.Text(), "#")
		if name = strings.TrimSpace(name); name != "" {
			has[Feature(name)] = true
		}
	}
	return has
}

// LacksCounters says whether the running kernel's machine has no hardware counters.
// On what machine a kernel was recorded does not matter.
func (k *Kernel) LacksCounters() bool { return k.running() && !k.Has(HardwareCounters) }
