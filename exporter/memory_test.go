package exporter

import (
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"weak"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/recorded"
)

// Scripts that were compiled do not keep the kernel's types, which take many
// times the memory of all else.
func TestCompiledScriptsDoNotKeepTheKernelsTypes(t *testing.T) {
	k, err := kernel.Open(recorded.Files("6.18-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	b := NewBackend(k, slog.New(slog.DiscardHandler), false)
	cfg, err := config.Parse("probes.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Scripts[0].Source.Text = on(`t = (struct task_struct *)curtask; @[t->prio, comm] = quantize(time - time);`)
	scripts, fatal := compile(cfg, b)
	if fatal != nil {
		t.Fatal(fatal.Detail())
	}
	if scripts[0].err != nil {
		t.Fatal(scripts[0].err)
	}
	types, err := k.BTF()
	if err != nil {
		t.Fatal(err)
	}
	there := weak.Make(types)
	runtime.GC()
	if there.Value() == nil {
		t.Fatal("the types are gone before they are forgotten")
	}
	giveBack(b)
	runtime.GC()
	if there.Value() != nil {
		t.Error("the types are still there")
	}
	if again, err := k.BTF(); err != nil || again == nil {
		t.Errorf("the types cannot be read again: %v", err)
	}
	runtime.KeepAlive(scripts)
}

// The user's GOGC counts, where there is one.
func TestLimitGarbage(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for gogc, want := range map[string]int{"": gcPercent, "300": 100} {
		t.Setenv("GOGC", gogc)
		allowGarbage(gcPercent)
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%s: got %d, want %d", gogc, got, want)
		}
	}
}

// Pages of the program that nothing runs are no memory of the process.
func TestProgramIsUnmapped(t *testing.T) {
	before := residentFiles(t)
	unmapProgram()
	if after := residentFiles(t); after > before*2/3 {
		t.Errorf("%d kB of files before, %d kB after", before, after)
	}
}

func residentFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

func TestReadMappings(t *testing.T) {
	got := readMappings(strings.NewReader(`00400000-00b83000 r-xp 00000000 fe:00 10524907                           /usr/bin/ply exporter
Size:               7692 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00b83000-013b0000 r--p 00783000 fe:00 10524907                           /usr/bin/ply exporter
Anonymous:             4 kB
7fff5c3d0000-7fff5c3f1000 rw-p 00000000 00:00 0                          [stack]
Anonymous:            12 kB
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`))
	want := []mapping{
		{0x400000, 0xb83000, "r-xp", "/usr/bin/ply exporter", true},
		{0xb83000, 0x13b0000, "r--p", "/usr/bin/ply exporter", false},
		{0x7fff5c3d0000, 0x7fff5c3f1000, "rw-p", "", false},
		{0xffffffffff600000, 0xffffffffff601000, "--xp", "", false},
	}
	for i, m := range want {
		if i >= len(got) || got[i] != m {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
