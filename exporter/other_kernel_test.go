package exporter

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/internal/promtest"
	"ply-exporter/plylang"
)

// crowded counts system calls of a thousand keys in maps for a hundred, and by a part
// of the key alone.
const crowded = `
scripts:
  - name: crowd
    script: |
      tracepoint:raw_syscalls/sys_enter /pid == PID && data->id == GETPPID/ {
        a = data->args[0]; b = data->args[1];
        @n[a, b] = count();
        @sum[a, b] = sum(a);
        @sizes[a, b] = quantize(a);
        @mean[a, b] = avg(a);
        @by[a, b] = count();
        @most[a, b] = max(a);
        @halves[a, b] = quantize(b);
      }
    metrics:
      - {map: "@n", max_entries: 100}
      - {map: "@sum", max_entries: 100}
      - {map: "@sizes", max_entries: 100}
      - {map: "@mean", max_entries: 100}
      - {map: "@by", labels: [{drop: true}, b], max_entries: 100}
      - {map: "@most", labels: [{drop: true}, b]}
      - {map: "@halves", labels: [a, {drop: true}]}
`

// Threads that count more keys than there is room for: the sums over all series are
// those of all calls, and so are those of keys of which a part is dropped.
func TestSumsOfFullMaps(t *testing.T) {
	need.BPF(t)
	yaml := strings.NewReplacer("GETPPID", fmt.Sprint(unix.SYS_GETPPID), "PID", fmt.Sprint(os.Getpid())).Replace(crowded)
	cfg, err := config.Parse("crowd.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	r, err := NewReader(cfg, NewBackend(runningKernel(t), slog.New(slog.DiscardHandler), false))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	if err := r.Start(); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	defer r.Close()
	const threads, rounds, keys = 8, 20, 1000
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for range rounds {
				for a := range uintptr(keys) {
					_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, a, a&3, 0)
				}
			}
		})
	}
	wait.Wait()
	series, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	sums, number := map[string]float64{}, map[string]int{}
	for _, s := range series {
		sums[s.Metric] += s.Value
		number[s.Metric]++
	}
	const calls, sum = threads * rounds * keys, threads * rounds * keys * (keys - 1) / 2
	for metric, want := range map[string]struct {
		sum    float64
		series int
	}{
		"ply_crowd_n_total": {calls, 101}, "ply_crowd_sum_total": {sum, 101}, "ply_crowd_mean_sum": {sum, 101}, "ply_crowd_mean_count": {calls, 101},
		"ply_crowd_sizes_sum": {sum, 101}, "ply_crowd_sizes_count": {calls, 101},
		"ply_crowd_by_total": {calls, 4}, "ply_crowd_most": {996 + 997 + 998 + 999, 4},
		"ply_crowd_halves_count": {calls, keys}, "ply_crowd_halves_sum": {calls * 1.5, keys},
		"ply_map_dropped_total": {0, 7},
	} {
		if sums[metric] != want.sum || number[metric] != want.series {
			t.Errorf("%s: %v in %d series, want %v in %d", metric, sums[metric], number[metric], want.sum, want.series)
		}
	}
	for _, s := range series {
		if s.Metric == "ply_crowd_by_total" && s.Value != calls/4 {
			t.Errorf("%v is %v, want %d", s.Labels, s.Value, calls/4)
		}
	}
	if err := promtest.CheckMetrics(t, scrapeAll(t, r.collector)); err != nil {
		t.Error(err)
	}
}
