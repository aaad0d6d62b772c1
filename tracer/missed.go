package tracer

import (
	"sync"

	"github.com/cilium/ebpf/btf"
)

// counting says whether this kernel counts what perf-attached programs and
// kprobes miss. It does since 6.7, and so do older kernels into which
// distributions took the change, whose mark is a new member of the
// description of links.
var counting struct {
	once sync.Once
	yes  bool
}

// countsMisses looks into the kernel's types, once per process.
func countsMisses(types *btf.Cache) bool {
	counting.once.Do(func() {
		spec, err := types.Kernel()
		if err != nil {
			return
		}
		counting.yes = missedIn(spec)
	})
	return counting.yes
}

func missedIn(spec *btf.Spec) bool {
	var info *btf.Struct
	return spec.TypeByName("bpf_link_info", &info) == nil && hasMember(info.Members, "kprobe_multi", "missed")
}

// hasMember finds a path of member names, looking through unions and structs
// that have no name.
func hasMember(members []btf.Member, path ...string) bool {
	for _, m := range members {
		inner := membersOf(m.Type)
		switch {
		case m.Name == "" && hasMember(inner, path...):
			return true
		case m.Name == path[0] && len(path) == 1:
			return true
		case m.Name == path[0]:
			return hasMember(inner, path[1:]...)
		}
	}
	return false
}

func membersOf(t btf.Type) []btf.Member {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
