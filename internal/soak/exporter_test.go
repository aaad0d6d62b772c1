package soak

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ply-exporter/configs"
	"ply-exporter/internal/live"
)

// keys is how many keys the generator's calls have: more than the map has room for.
const keys = 150

// ours is a configuration beside the shipped ones: two scripts that never change and
// count the generator's calls, and one that each reload replaces.
const ours = `
scripts:
  - name: soak
    script: |
      kprobe:SyS_getpriority / pid == %[1]d && arg(0) == %[2]d / {
        @exact = count();
        @keys[arg(1)] = count();
      }
    metrics:
      - {map: "@exact", name: ply_soak_exact_total}
      - {map: "@keys", name: ply_soak_keys_total, labels: [key], max_entries: 100}
  - name: soak_changing
    script: |
      kprobe:SyS_getpriority / arg(0) == %[3]d / { @ = count(); }
`

// An exporter is the program as users run it, with pins.
type exporter struct {
	t                *testing.T
	program, configs string
	pins, address    string
	cmd              *exec.Cmd
	said             bytes.Buffer

	reloads, restarts int
	restartedAt       []time.Time
	away              time.Duration // nobody answered because of restarts
}

func newExporter(t *testing.T) *exporter {
	dir := t.TempDir()
	e := &exporter{t: t, pins: live.PinPath(t), program: filepath.Join(dir, "ply-exporter"), configs: filepath.Join(dir, "configs"), address: freeAddress(t)}
	if out, err := exec.Command("go", "build", "-o", e.program, "ply-exporter").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.CopyFS(e.configs, configs.Files); err != nil {
		t.Fatal(err)
	}
	e.change()
	return e
}

// change writes a configuration whose last script is another one.
func (e *exporter) change() {
	text := fmt.Sprintf(ours, os.Getpid(), marker, e.reloads)
	if err := os.WriteFile(filepath.Join(e.configs, "soak.yaml"), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// start runs the program, until it answers.
func (e *exporter) start() {
	e.t.Helper()
	e.cmd = exec.Command(e.program, "--config", e.configs, "--web.listen-address", e.address,
		"--web.enable-lifecycle", "--bpf.pin-path", e.pins, "--log.level", "warn")
	e.cmd.Stdout, e.cmd.Stderr = &e.said, &e.said
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
		if e.t.Failed() {
			e.t.Logf("the exporter said:\n%s", &e.said)
		}
	})
	for range 600 {
		if answer, err := http.Get("http://" + e.address + "/metrics"); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	e.t.Fatal("the exporter does not answer")
}

// live reloads it sixty times and restarts it six times in a time.
func (e *exporter) live(length time.Duration) error {
	const reloads, each = 60, 10
	for i := range reloads {
		time.Sleep(length / reloads)
		if i%each == each-1 {
			e.restart()
			continue
		}
		if err := e.reload(); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) reload() error {
	e.reloads++
	e.change()
	answer, err := http.Post("http://"+e.address+"/-/reload", "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		return fmt.Errorf("reload: %s: %s", answer.Status, text)
	}
	return nil
}

// restart ends it and starts it again. The third time it is killed.
func (e *exporter) restart() {
	e.restarts++
	signal := syscall.SIGTERM
	if e.restarts == 3 {
		signal = syscall.SIGKILL
	}
	e.restartedAt = append(e.restartedAt, time.Now())
	_ = e.cmd.Process.Signal(signal)
	if err := e.cmd.Wait(); err != nil && signal == syscall.SIGTERM {
		e.t.Errorf("the exporter ended with %v", err)
	}
	e.start()
	e.away += time.Since(e.restartedAt[e.restarts-1])
}

// checkEnd ends it for good, after which nothing is left.
func (e *exporter) checkEnd() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait()
	if out, err := exec.Command(e.program, "unpin", "--bpf.pin-path", e.pins).CombinedOutput(); err != nil {
		e.t.Errorf("unpin: %v: %s", err, out)
	}
	if left, _ := os.ReadDir(e.pins); len(left) > 0 {
		e.t.Errorf("unpin has left %v", left)
	}
}

// freeAddress is an address of the loopback interface that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
