package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// Events that come faster than anybody reads them are counted, every one, and
// make the status 1; -k makes it 0, and exit(n) leaves it n.
func TestLostEvents(t *testing.T) {
	need.OneGuest(t)
	need.BPF(t)
	const calls = "/ pid == $target / { print(str(0, 500)); @ = count(); }"
	for _, row := range []struct {
		options []string
		script  string
		status  int
	}{
		{nil, "kprobe:SyS_read " + calls, 1},
		{[]string{"-k"}, "kprobe:SyS_read " + calls, 0},
		{nil, "kprobe:SyS_read " + calls + " END { exit(5); }", 5},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		args := append([]string{"run", "-f", "json", "-c", "exec dd if=/dev/zero of=/dev/null bs=1 count=20000 status=none"}, row.options...)
		p := startPly(t, w, append(args, row.script)...)
		_ = w.Close()
		p.waitFor(t, "de-activating probes") // and until then nobody reads
		printed, lost, all := eventsOf(t, r)
		if status := p.wait(t).ExitStatus(); status != row.status || printed+lost != all || lost == 0 {
			t.Errorf("%q: status %d, %d events printed and %d lost of %d", row.options, status, printed, lost, all)
		}
	}
}

// In the exporter, every print is in the log or in one of two metrics, and the log
// says how much it left out although no other line comes.
func TestLostEventsOfTheExporter(t *testing.T) {
	need.BPF(t)
	s := startServer(t, `
scripts:
  - name: flood
    script: |
      kprobe:SyS_getpriority / comm == "ply-workload" / { printf("x %d %s\n", pid, str(0, 500)); @ = count(); }
  - name: silent
    script: |
      kprobe:SyS_getpriority { @ = count(); }
`)
	const calls = 30_000
	runWorkload(t, calls)
	s.waitLog(t, `msg="lines left out: scripts print faster than is logged"`)
	families := s.families(t)
	lost, ok := value(families, "ply_events_lost_total", "flood")
	omitted, also := value(families, "ply_lines_omitted_total", "flood")
	logged := float64(strings.Count(s.logText(t), "msg=printed"))
	if !ok || !also || omitted == 0 || logged < 100 || logged+omitted+lost != calls {
		t.Errorf("%v logged, %v left out and %v lost of %d", logged, omitted, lost, calls)
	}
	for _, name := range []string{"ply_events_lost_total", "ply_lines_omitted_total"} {
		if n := len(families[name].GetMetric()); n != 1 {
			t.Errorf("%s has %d series, want one: only one script prints", name, n)
		}
	}
	if want := fmt.Sprintf("lines=%v", omitted); !strings.Contains(s.logText(t), want) {
		t.Errorf("no %s in\n%s", want, s.logText(t))
	}
}

// eventsOf reads a run's output and returns how many events it shows, how many
// it says were lost, and the value of its map.
func eventsOf(t *testing.T, r *os.File) (printed, lost, all int) {
	t.Helper()
	defer r.Close()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var v struct {
			Type   string
			Events int
			Data   []any
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%v in %q", err, lines.Text())
		}
		switch v.Type {
		case "print":
			printed++
		case "lost":
			lost = v.Events
		case "map":
			n, _ := v.Data[0].(map[string]any)["value"].(float64)
			all = int(n)
		}
	}
	return printed, lost, all
}
