package decode

import (
	"cmp"
	"maps"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/containers"
)

// groupLabels are the names of the labels that a control group gives, in the order
// of groupTexts.
var groupLabels = []string{"cgroup", "namespace", "pod", "pod_uid", "container", "container_id", "workload"}

// unknownGroup is what labels say of a group of which not even the path is known.
const unknownGroup = "other"

// shortID is how many digits of a container's ID stand for a name, as in docker ps.
const shortID = 12

// groupTexts are the labels of a control group. They are settled when no other
// ones can become known. Outside of containers all but the first are empty.
func (d *Decoder) groupTexts(v object.Value) (texts []string, settled bool) {
	path, known := d.machine.groupsOf(uint64(v.Int())).of(uint64(v.Int()))
	if !known {
		texts := []string{d.cgroup(v)}
		for range len(groupLabels) - 1 {
			texts = append(texts, unknownGroup)
		}
		return texts, false
	}
	place := containers.Parse(path)
	pod, podKnown := d.machine.podOf(place)
	container, containerKnown := d.machine.containerOf(place, podKnown)
	if !containerKnown && !podKnown {
		container = place.ID()[:min(shortID, len(place.ID()))]
	}
	namespace, name, _ := strings.Cut(pod, "_")
	workload := container
	switch {
	case place.Pod == "":
	case podKnown:
		workload = d.machine.workload(name, place)
	default:
		name, workload = place.Pod, place.Pod
	}
	settled = (podKnown || place.Pod == "") && (containerKnown || !place.Inside())
	return []string{path, namespace, name, place.Pod, container, place.ID(), workload}, settled
}

// podOf is a pod as NAMESPACE_NAME.
func (m *Machine) podOf(p containers.Place) (pod string, known bool) {
	if p.Pod == "" {
		return "", false
	}
	return m.nodeNames.of(p.Pod)
}

// containerOf is the name of the innermost container that has one. In a pod whose own
// name is known, a container without one holds the pod together.
func (m *Machine) containerOf(p containers.Place, podKnown bool) (name string, known bool) {
	if p.Name != "" {
		return p.Name, true
	}
	for i := len(p.IDs) - 1; i >= 0; i-- {
		id := p.IDs[i]
		if name, ok := m.nodeNames.of(id); ok {
			return name, true
		}
		if podKnown {
			continue // the kubelet's files have all names
		}
		if name := containers.DockerName(m.files, id); name != "" {
			m.nodeNames.learn(id, name)
			return name, true
		}
	}
	return "", false
}

// workload is the name of what a pod belongs to. The kubelet appends the node's name
// to that of a static pod.
func (m *Machine) workload(pod string, p containers.Place) string {
	if p.Static() {
		return strings.TrimSuffix(pod, "-"+m.node())
	}
	return containers.Workload(pod)
}

// nodeName is this node's name in Kubernetes: in a pod, where the host name is another
// one, the variable NODE_NAME says it.
func nodeName() string {
	host, _ := os.Hostname()
	return strings.ToLower(cmp.Or(os.Getenv("NODE_NAME"), host))
}

// A life says when a control group was made, and when it was removed, as far as this is
// known.
type life struct{ made, ended time.Time }

// lives are those of groups that were made or removed lately: half of as many as there
// is room for, and those before.
type lives struct {
	mu          sync.Mutex
	last, older map[uint64]life
}

func (l *lives) of(key uint64) life {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(key)
}

func (l *lives) find(key uint64) life {
	if of, ok := l.last[key]; ok {
		return of
	}
	return l.older[key]
}

func (l *lives) change(key uint64, change func(*life)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.find(key)
	change(&of)
	if l.last == nil || len(l.last) >= maxNames/2 {
		l.last, l.older = map[uint64]life{}, l.last
	}
	l.last[key] = of
}

// CgroupMade makes a control group known that was just made: its path, by the value
// that programs have of it.
func (m *Machine) CgroupMade(key uint64, path string) {
	m.groupsOf(key).learn(key, path)
	m.lives.change(key, func(l *life) { l.made = time.Now() })
}

// CgroupRemoved says that a control group was removed.
func (m *Machine) CgroupRemoved(key uint64) {
	m.lives.change(key, func(l *life) { l.ended = time.Now() })
}

// CgroupsMissed says that groups were made or removed of which the machine was not told.
func (m *Machine) CgroupsMissed() {
	for _, n := range []*names[uint64]{&m.cgroups, &m.oldCgroups} {
		for key := range n.gone() {
			m.CgroupRemoved(key)
		}
	}
}

// gone reads the names again and returns those that are not there any more.
func (n *names[K]) gone() map[K]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	gone := maps.Clone(n.known)
	for key, name := range n.read() {
		if n.known != nil {
			n.known[key] = name
		}
		delete(gone, key)
	}
	return gone
}

// Life says how old a control group is, or was at its end, and whether it is gone. One
// that was there before the machine was told of groups has an age beyond all others. A
// group of which there is no path is gone where all paths can be seen.
func (d *Decoder) Life(v object.Value) (age time.Duration, gone bool) {
	key := uint64(v.Int())
	of := d.machine.lives.of(key)
	end := of.ended
	if gone = !end.IsZero(); !gone {
		_, known := d.machine.groupsOf(key).of(key)
		gone, end = !known && d.machine.seesGroupsOf(key), time.Now()
	}
	if of.made.IsZero() {
		return math.MaxInt64, gone
	}
	return end.Sub(of.made), gone
}

// seesGroupsOf says whether all groups of the hierarchy can be seen.
func (m *Machine) seesGroupsOf(key uint64) bool {
	_, number := object.SplitCgroup(key)
	for _, h := range running(m.kernel).Hierarchies() {
		if h.Number == number {
			return h.Whole
		}
	}
	return false
}
