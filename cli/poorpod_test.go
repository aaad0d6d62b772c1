package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// poorConfiguration has a script for each thing that a pod may lack.
const poorConfiguration = `
scripts:
  - name: tasks
    script: |
      rawtracepoint:sched_switch { @[pid] = count(); }
    metrics: [{map: "@", max_entries: 64, overflow: evict}]
  - name: drops
    script: |
      rawtracepoint:kfree_skb { @[ksym(arg1)] = count(); }
  - name: addresses
    script: |
      rawtracepoint:sched_switch { @[ksym(kaddr("vfs_read"))] = count(); }
  - name: groups
    script: |
      rawtracepoint:sched_switch { @[cgroup] = count(); }
  - name: switches
    script: |
      tracepoint:sched/sched_switch { @ = count(); }
  - name: samples
    script: |
      profile:49hz { @ = count(); }
`

// What a pod lacks costs the scripts that need it, or makes them less good, and is
// said; the pod is up in each case.
var poorPods = []struct {
	name string
	take func(*pod)
	down []string // scripts
	says string
}{
	{"hostPID", func(p *pod) {
		linux := p.spec["linux"].(document)
		linux["namespaces"] = append(linux["namespaces"].([]document), document{"type": "pid"})
	}, nil, "running in a PID namespace"},
	{"CAP_SYSLOG", func(p *pod) {
		caps := []string{"CAP_BPF", "CAP_PERFMON"}
		p.spec["process"].(document)["capabilities"] = document{"bounding": caps, "effective": caps, "permitted": caps}
	}, []string{"addresses"}, "the kernel hides the addresses of its symbols"},
	{"tracefs", func(p *pod) { p.without("/sys/kernel/tracing") }, []string{"switches"}, "tracefs is not mounted"},
	{"cgroups", func(p *pod) { p.without("/host/sys/fs/cgroup") }, nil, "cgroup"},
	{"perf_event_open", func(p *pod) { p.forbid("perf_event_open") }, []string{"samples"}, "a seccomp filter forbids the system call perf_event_open"},
	{"bpf", func(p *pod) { p.forbid("bpf"); p.keepGoing() }, []string{"addresses", "drops", "groups", "samples", "switches", "tasks"}, "a seccomp filter forbids the system call bpf"},
}

// keepGoing has the exporter serve although no script runs.
func (p *pod) keepGoing() {
	process := p.spec["process"].(document)
	process["args"] = append(process["args"].([]string), "--keep-going")
}

// forbid takes a call out of the seccomp profile.
func (p *pod) forbid(call string) {
	rule := p.spec["linux"].(document)["seccomp"].(document)["syscalls"].([]any)[0].(document)
	rule["names"] = slices.DeleteFunc(rule["names"].([]any), func(name any) bool { return name == call })
}

func TestPodThatLacksSomething(t *testing.T) {
	need.BPF(t)
	setSysctl(t, "perf_event_paranoid", "2")
	setSysctl(t, "kptr_restrict", "1")
	config, root := configMap(t, map[string]string{"probes.yaml": poorConfiguration}), filepath.Dir(programForAll(t))
	for _, row := range poorPods {
		t.Run(row.name, func(t *testing.T) {
			p := newPod(t, root, config)
			row.take(p)
			p.run(t)
			var down []string
			for _, line := range p.down(t) {
				if name, found := strings.CutPrefix(line, `ply_script_up{script="`); found {
					down = append(down, strings.TrimSuffix(name, "\"} 0\n"))
				}
			}
			slices.Sort(down)
			slices.Sort(row.down)
			if !slices.Equal(down, row.down) || !strings.Contains(p.logText(t), row.says) {
				t.Errorf("%q are down, want %q; the log does not say %q:\n%s", down, row.down, row.says, p.logText(t))
			}
		})
	}
}
