package tracer

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"ply-exporter/internal/need"
)

// filter loads a program of the test's own, which runs when it is asked to.
func filter(t testing.TB, name string) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.SocketFilter, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// named are the programs of a name.
func named(t testing.TB, h *Host, name string) (list []HostProgram, unseen int) {
	t.Helper()
	all, unseen, err := h.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			list = append(list, p)
		}
	}
	return list, unseen
}

// A program of the test's own is among those of the machine, with the runs that it made.
func TestHost(t *testing.T) {
	need.BPF(t)
	kept, err := KeepStatistics()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	var h Host
	const name, runs = "host_test_own", 1234
	if list, _ := named(t, &h, name); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	p := filter(t, name)
	before, _ := named(t, &h, name)
	if _, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 14), Repeat: runs}); err != nil {
		t.Fatal(err)
	}
	after, _ := named(t, &h, name)
	if len(before) != 1 || len(after) != 1 {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	did := after[0].Minus(before[0].Cost)
	if did.Runs != runs || did.Time <= 0 {
		t.Errorf("did %+v, want %d runs", did, runs)
	}
	if g := after[0]; !g.Ours || g.Type != "socket_filter" || g.Memory == 0 || g.Missed != 0 {
		t.Errorf("%+v", g)
	}
	_ = p.Close()
	_ = filter(t, "host_test_gone").Close()
	filter(t, "host_test_last")
	if list, unseen := named(t, &h, name); len(list) != 0 || unseen == 0 {
		t.Errorf("%+v, %d unseen", list, unseen)
	}
}

// A program that another process holds is not ours.
func TestHostOfOthers(t *testing.T) {
	need.BPF(t)
	p := filter(t, "host_test_other")
	h := Host{known: map[ebpf.ProgramID]HostProgram{}}
	if list, _ := named(t, &h, "host_test_other"); len(list) != 1 || !list[0].Ours {
		t.Fatalf("%+v", list)
	}
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	delete(h.own, id)
	if list, _ := named(t, &h, "host_test_other"); len(list) != 1 || list[0].Ours {
		t.Fatalf("%+v", list)
	}
}

func TestRefusedPrograms(t *testing.T) {
	if err := refusedPrograms(unix.EPERM); !strings.Contains(err.Error(), "CAP_SYS_ADMIN") {
		t.Error(err)
	}
}

// The kernel's names of types are those of the library, which writes them in its own way.
func TestHostTypes(t *testing.T) {
	others := map[string]string{"unspec": "unspecifiedprogram", "ext": "extension"}
	for i, name := range hostTypes {
		want := strings.ToLower(ebpf.ProgramType(i).String())
		if got := strings.ReplaceAll(name, "_", ""); got != want && others[name] != want {
			t.Errorf("%d is %s, want %s", i, name, want)
		}
	}
	if got := hostType(1000); got != "1000" {
		t.Error(got)
	}
}

// BenchmarkHost reads the programs of the machine, as a scrape does.
func BenchmarkHost(b *testing.B) {
	need.BPF(b)
	var h Host
	n := 0
	for b.Loop() {
		all, _, err := h.Read()
		if err != nil {
			b.Fatal(err)
		}
		n = len(all)
	}
	b.ReportMetric(float64(n), "programs")
}
