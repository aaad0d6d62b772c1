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
	BTF                 Feature = "btf"
	Kprobe              Feature = "kprobe"
	KprobeMulti         Feature = "kprobe_multi"
	KprobeSession       Feature = "kprobe_session"
	Fentry              Feature = "fentry"
	Uprobe              Feature = "uprobe"
	UprobeMulti         Feature = "uprobe_multi"
	Cookie              Feature = "cookie"
	FuncIP              Feature = "func_ip"
	Ringbuf             Feature = "ringbuf"
	FetchingAtomics     Feature = "fetching_atomics"
	SignedDivision      Feature = "signed_division"
	Loop                Feature = "loop"
	BootTime            Feature = "boot_time"
	TAITime             Feature = "tai_time"
	IterMapElem         Feature = "iter_map_elem"
	BatchOps            Feature = "batch_ops"
	BatchOpsPerCPUArray Feature = "batch_ops_percpu_array"
	RawTracepointsExact Feature = "raw_tracepoints_exact"
	MissedCounts        Feature = "missed_counts"
)

// A FeatureRow says what is known about a feature without trying it.
type FeatureRow struct {
	Feature  Feature
	Since    [2]int // first version that can have it
	Until    [2]int // first version that may have lost it; zero: none did
	Provides string // what a kernel must have, for messages
	Detect   string // how a prober finds out
}

// Features are all features. Versions alone are a guess: the kernel's
// configuration, the architecture and lockdown decide too, so a prober should
// try.
var Features = []FeatureRow{
	{BTF, [2]int{5, 2}, [2]int{}, "CONFIG_DEBUG_INFO_BTF", "/sys/kernel/btf/vmlinux exists"},
	{Kprobe, [2]int{4, 1}, [2]int{}, "CONFIG_KPROBES and CONFIG_KPROBE_EVENTS", "attach one through perf"},
	{KprobeMulti, [2]int{5, 18}, [2]int{}, "kernel 5.18 with CONFIG_FPROBE", "attach one"},
	{KprobeSession, [2]int{6, 10}, [2]int{}, "kernel 6.10 with CONFIG_FPROBE", "attach one"},
	{Fentry, [2]int{5, 5}, [2]int{}, "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS and BTF", "load and attach one: arm64 6.1 loads it and refuses to attach"},
	{Uprobe, [2]int{4, 3}, [2]int{}, "CONFIG_UPROBE_EVENTS", "attach one"},
	{UprobeMulti, [2]int{6, 6}, [2]int{}, "kernel 6.6 with CONFIG_UPROBES", "attach one"},
	{Cookie, [2]int{5, 15}, [2]int{}, "kernel 5.15", "load a program that calls bpf_get_attach_cookie, link it"},
	{FuncIP, [2]int{5, 15}, [2]int{}, "kernel 5.15", "load a kprobe program that calls bpf_get_func_ip"},
	{Ringbuf, [2]int{5, 8}, [2]int{}, "kernel 5.8", "make a map of that type"},
	{FetchingAtomics, [2]int{5, 12}, [2]int{}, "kernel 5.12", "load a program with a compare-and-exchange"},
	{SignedDivision, [2]int{6, 6}, [2]int{}, "kernel 6.6", "load a program with a signed division"},
	{Loop, [2]int{5, 17}, [2]int{}, "kernel 5.17", "load a program that calls bpf_loop"},
	{BootTime, [2]int{5, 8}, [2]int{}, "kernel 5.8", "load a program that calls bpf_ktime_get_boot_ns"},
	{TAITime, [2]int{6, 1}, [2]int{}, "kernel 6.1", "load a program that calls bpf_ktime_get_tai_ns"},
	{IterMapElem, [2]int{5, 8}, [2]int{}, "kernel 5.8 with BTF", "attach an iterator to a map"},
	{BatchOps, [2]int{5, 6}, [2]int{}, "kernel 5.6", "look up in a batch in a per-CPU hash"},
	{BatchOpsPerCPUArray, [2]int{5, 13}, [2]int{}, "kernel 5.13", "look up in a batch in a per-CPU array"},
	{RawTracepointsExact, [2]int{4, 17}, [2]int{7, 0}, "a kernel whose tracepoints are not preemptible", "count events of threads that share a CPU, or look for SRCU in the tracepoint's BTF"},
	{MissedCounts, [2]int{6, 7}, [2]int{}, "kernel 6.7", "bpf_link_info of a kprobe has a missed field"},
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
	if !ok || !k.AtLeast(row.Since[0], row.Since[1]) {
		return false
	}
	return row.Until == [2]int{} || !k.AtLeast(row.Until[0], row.Until[1])
}

// marks are the files that kernels with a feature have.
var marks = map[Feature]string{
	BTF:    "sys/kernel/btf/vmlinux",
	Kprobe: "sys/bus/event_source/devices/kprobe",
	Uprobe: "sys/bus/event_source/devices/uprobe",
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
