package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/live"
)

// restart ends the server by a signal and starts another one with the same arguments.
func (s *server) restart(t *testing.T, by os.Signal) *server {
	t.Helper()
	if err := s.cmd.Process.Signal(by); err != nil {
		t.Fatal(err)
	}
	err := s.cmd.Wait()
	if by == syscall.SIGTERM && err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, s.logText(t))
	}
	next := &server{address: s.address, log: writeFile(t, "log", "")}
	next.cmd = plyCommand(context.Background(), s.cmd.Args[1:]...)
	next.start(t)
	return next
}

// A load that does not stop is counted to the last event over restarts, of which some are
// by kill -9, while other scripts change, come and go.
func TestRestartLosesNothing(t *testing.T) {
	path := live.PinPath(t)
	s, write := startReloadable(t, exactConfig, "--bpf.pin-path", path)
	const n, restarts = 20_000, 9
	runWorkload(t, n)
	before := s.counters(t, "ply_calls_total")["sys_getpriority"]
	over := make(chan bool)
	made := make(chan int)
	go func() {
		all := n
		for {
			select {
			case <-over:
				made <- all
				return
			default:
				runWorkload(t, n)
				all += n
			}
		}
	}()
	for i := range restarts {
		write(exactConfig + []string{"", "  - name: more\n    script: 'kprobe:SyS_getppid { @ = count(); }'\n", "  - name: more\n    script: 'kprobe:SyS_getppid { @ = sum(2); }'\n"}[i%3])
		by := os.Signal(syscall.SIGTERM)
		if i%3 == 1 {
			by = syscall.SIGKILL
		}
		s = s.restart(t, by)
		s.get(t, "/metrics")
	}
	close(over)
	want := <-made
	_, text := s.get(t, "/metrics")
	for series, want := range map[string]int{
		`ply_calls_total{func="sys_getpriority"}`: want,
		`ply_reads_size_count`:                    want,
		`ply_reads_bytes_total`:                   want * 4096,
	} {
		if got := sampleOf(t, text, series); got != float64(want) {
			t.Errorf("%s is %v after %d restarts, want %d", series, got, restarts, want)
		}
	}
	if after := s.counters(t, "ply_calls_total")["sys_getpriority"]; !after.at.Equal(before.at) {
		t.Errorf("it starts at %s, and at %s before", after.at, before.at)
	}
	if text := s.logText(t); strings.Count(text, "taken over") != 2 || !strings.Contains(text, "pinned script removed") {
		t.Errorf("log %s", text)
	}
}

// What a reload has started starts for the next exporter when it did for the one before: not
// while series of its names were still those of the script that it has replaced.
func TestRestartKeepsStartsOfReloads(t *testing.T) {
	path := live.PinPath(t)
	s, write := startReloadable(t, faultsConfig, "--bpf.pin-path", path, "--web.enable-lifecycle")
	for i, by := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		write(strings.Replace(faultsConfig, "{ @[comm]", fmt.Sprintf("/ pid != %d / { @[comm]", i+1), 1))
		if status, body := s.reload(t); status != http.StatusOK {
			t.Fatal(body)
		}
		runWorkload(t, 10)
		calls, own := s.counters(t, "ply_calls_total"), s.counters(t, "ply_map_dropped_total")
		s = s.restart(t, by)
		if got := s.counters(t, "ply_calls_total"); len(calls) == 0 || !reflect.DeepEqual(got, calls) {
			t.Errorf("%v: %v, and %v before", by, got, calls)
		}
		if got := s.counters(t, "ply_map_dropped_total"); len(own) == 0 || !reflect.DeepEqual(got, own) {
			t.Errorf("%v: %v, and %v before", by, got, own)
		}
	}
}

// An exporter that is killed at any moment of its start leaves what the next one takes
// over, or begins anew: no count falls, and nothing is left in the end.
func TestKilledWhileItStarts(t *testing.T) {
	path := live.PinPath(t)
	s := startServer(t, exactConfig, "--bpf.pin-path", path)
	created := s.counters(t, "ply_calls_total")
	const n, kills = 1000, 8
	for i := range kills {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		runWorkload(t, n)
		half := plyCommand(context.Background(), s.cmd.Args[1:]...)
		if err := half.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i+1) * 15 * time.Millisecond)
		_ = half.Process.Kill()
		_ = half.Wait()
		next := &server{address: s.address, log: writeFile(t, "log", "")}
		next.cmd = plyCommand(context.Background(), s.cmd.Args[1:]...)
		next.start(t)
		s = next
	}
	_, text := s.get(t, "/metrics")
	if got := sampleOf(t, text, `ply_calls_total{func="sys_getpriority"}`); got != kills*n {
		t.Errorf("%v calls, want %d", got, kills*n)
	}
	for name, before := range created {
		if after := s.counters(t, "ply_calls_total")[name]; !after.at.Equal(before.at) {
			t.Errorf("%s starts at %s, and at %s before", name, after.at, before.at)
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusOK {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s is left", path)
	}
}

// One exporter has the folder. What it leaves can be removed when it has ended, by all versions.
func TestPinsOfTwoExporters(t *testing.T) {
	path := live.PinPath(t)
	s := startServer(t, exactConfig, "--bpf.pin-path", path)
	second := ply(t, "--config", writeFile(t, "probes.yaml", exactConfig), "--web.listen-address", freeAddress(t), "--bpf.pin-path", path)
	if second.status != statusError || !strings.Contains(second.stderr, "is used by another exporter (process ") {
		t.Errorf("%+v", second)
	}
	if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusError || !strings.Contains(r.stderr, "is used by another exporter (process ") {
		t.Errorf("%+v", r)
	}
	if status, _ := s.get(t, "/metrics"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if err := os.Rename(filepath.Join(path, "v2"), filepath.Join(path, "v1")); err != nil { // as if by an older version
		t.Fatal(err)
	}
	for _, want := range []string{"calls: removed\nreads: removed\n", "nothing is pinned\n"} {
		if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusOK || r.stdout != want {
			t.Errorf("%+v, want %q", r, want)
		}
	}
	if r := ply(t, "--bpf.pin-path", t.TempDir()); r.status != statusError || !strings.Contains(r.stderr, "is not in a BPF file system: give a folder of one") {
		t.Errorf("%+v", r)
	}
}

// What a reload starts is pinned, and what it ends is not; a script whose metric takes the
// name of another does not go on with its counts.
func TestPinsAndReloads(t *testing.T) {
	path := live.PinPath(t)
	scripts := func() (names []string) {
		folders, err := filepath.Glob(filepath.Join(path, "v2", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			name, _, _ := strings.Cut(filepath.Base(f), "-")
			names = append(names, name)
		}
		return names
	}
	pinned := func(what string, want ...string) {
		t.Helper()
		if got := scripts(); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q are pinned, want %q", what, got, want)
		}
	}
	named := func(names ...string) string {
		text := "scripts:\n"
		for _, name := range names {
			script, metric, _ := strings.Cut(name, "/")
			text += strings.Replace(strings.Replace(scriptNamed, "%", script, 1), "%", metric, 1)
		}
		return text
	}
	s, write := startReloadable(t, named("a/a_total", "b/b_total"), "--web.enable-lifecycle", "--bpf.pin-path", path)
	pinned("start", "a", "b")
	write(named("b/b_total", "c/c_total"))
	if status, body := s.reload(t); status != http.StatusOK {
		t.Fatal(status, body)
	}
	pinned("reload", "b", "c")
	runWorkload(t, 100)
	write(named("b/b_total", "c/d_total"))
	s = s.restart(t, syscall.SIGKILL)
	_, text := s.get(t, "/metrics")
	if b, d := sampleOf(t, text, "ply_b_total"), sampleOf(t, text, "ply_d_total"); b < 100 || d < 100 {
		t.Errorf("b %v, d %v, want what was counted before", b, d)
	}
	write(named("b/d_total", "c/b_total"))
	s = s.restart(t, syscall.SIGTERM)
	_, text = s.get(t, "/metrics")
	if b, d := sampleOf(t, text, "ply_b_total"), sampleOf(t, text, "ply_d_total"); b >= 100 || d >= 100 {
		t.Errorf("b %v, d %v: names with the counts of something else", b, d)
	}
	pinned("end", "b", "c")
}

const scriptNamed = "  - name: %\n    metrics: [{map: '@', name: ply_%}]\n    script: 'kprobe:SyS_getpriority { @ = count(); }'\n"

// An exporter that is not root pins into a folder of its own, in a file system that only
// root may look into, as that of systemd is.
func TestPinsOfAUser(t *testing.T) {
	path := live.PinPath(t)
	const nobody = 65534
	for _, err := range []error{os.Chmod(filepath.Dir(path), 0o700), os.Mkdir(path, 0o700), os.Chown(path, nobody, nobody)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	program, address := programForAll(t), freeAddress(t)
	start := func() *server {
		s := &server{address: address, log: writeFile(t, "log", "")}
		s.cmd = exec.Command(program, "--config", writeFile(t, "probes.yaml", exactConfig), "--web.listen-address", address, "--bpf.pin-path", path)
		s.cmd.Env = append(os.Environ(), asCommand+"=ply-exporter", asLimited+"=nobody +BPF +PERFMON +SYSLOG +DAC_READ_SEARCH")
		s.start(t)
		return s
	}
	s := start()
	runWorkload(t, 10)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	runWorkload(t, 10)
	s = start()
	if _, text := s.get(t, "/metrics"); sampleOf(t, text, `ply_calls_total{func="sys_getpriority"}`) != 20 {
		t.Errorf("log %s", s.logText(t))
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusOK || r.stdout != "calls: removed\nreads: removed\n" {
		t.Errorf("root removes them: %+v", r)
	}
}

// The next pod of a node takes over all that the one before has pinned, with the capabilities,
// the seccomp profile and the mounts of the DaemonSet.
func TestPinsOfDaemonSet(t *testing.T) {
	path := live.PinPath(t)
	if err := os.Mkdir(path, 0o755); err != nil { // as the kubelet does
		t.Fatal(err)
	}
	root, config := image(t), configMap(t, map[string]string{"probes.yaml": exactConfig})
	const at = "/host/sys/fs/bpf/ply-exporter"
	for i := range 2 {
		p := newPod(t, root, config)
		process := p.spec["process"].(document)
		process["args"] = append(process["args"].([]string), "--bpf.pin-path="+at)
		p.spec["mounts"] = append(p.spec["mounts"].([]document), document{"destination": at, "type": "bind", "source": path, "options": []string{"rbind", "rw"}})
		p.run(t)
		runWorkload(t, 10)
		if _, text := p.get(t, "/metrics"); sampleOf(t, text, `ply_calls_total{func="sys_getpriority"}`) != float64(10*(i+1)) {
			t.Errorf("pod %d: %s", i, p.logText(t))
		}
		p.remove()
	}
	if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusOK || r.stdout != "calls: removed\nreads: removed\n" {
		t.Errorf("%+v", r)
	}
}

// What is among the largest and what containers have counted goes on over an orderly restart,
// with all that happens in between; an exporter that was killed has it start afresh.
func TestRestartHandsOver(t *testing.T) {
	path := live.PinPath(t)
	const n = 1000
	s := startServer(t, `scripts:
  - name: top
    script: 'kprobe:SyS_getpriority / comm == "ply-workload" / { @[arg1 & 3] = count(); }'
    metrics: [{map: "@", top: 2, name: ply_top_total, labels: [who]}]
  - name: groups
    script: 'kprobe:SyS_getpriority / comm == "ply-workload" / { @[cgroup] = count(); }'
    metrics: [{map: "@", name: ply_groups_total, labels: [{as: [workload]}]}]
`, "--bpf.pin-path", path)
	all := func(name string) (sum float64) {
		t.Helper()
		_, text := s.get(t, "/metrics")
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name+"{") {
				sum += sampleOf(t, text, line[:strings.LastIndexByte(line, ' ')])
			}
		}
		return sum
	}
	expect := func(when string, want float64) {
		t.Helper()
		if top, groups := all("ply_top_total"), all("ply_groups_total"); top != want || groups != want {
			t.Errorf("%s: %v and %v were counted, want %v\n%s", when, top, groups, want, s.logText(t))
		}
	}
	runWorkload(t, n)
	expect("at first", n)
	for i := range 2 {
		runWorkload(t, n) // that nobody has scraped
		s = s.restart(t, syscall.SIGTERM)
		runWorkload(t, n)
		expect("after a restart", float64(n*(3+2*i)))
	}
	s = s.restart(t, syscall.SIGKILL)
	runWorkload(t, n)
	expect("after kill -9", n)
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if r := ply(t, "unpin", "--bpf.pin-path", path); r.status != statusOK || r.stdout != "groups: removed\ntop: removed\n" {
		t.Errorf("%+v", r)
	}
}
