package cli

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"ply-exporter/internal/need"
)

// Events that come faster than anybody reads them are counted, every one, and
// make the status 1; -k makes it 0, and exit(n) leaves it n.
func TestLostEvents(t *testing.T) {
	need.EachKernel(t)
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
