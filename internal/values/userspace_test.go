package values

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ply-exporter/bpfgen/elf"
	"ply-exporter/configs"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// loadFor reads a configuration that looks into programs, for other files than it
// names. Nobody but the test runs these, so that all that is counted is its own.
func loadFor(t *testing.T, file string, instead map[string]string) *config.Config {
	t.Helper()
	text, err := configs.Files.ReadFile("userspace/" + file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for name, path := range instead {
		if !strings.Contains(changed, ":"+name+":") {
			t.Fatalf("%s does not trace %s", file, name)
		}
		changed = strings.ReplaceAll(changed, ":"+name+":", ":"+path+":")
	}
	cfg, err := config.Parse(file, []byte(changed))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	return cfg
}

// copyProgram copies a program or library of this machine to a folder.
func copyProgram(t *testing.T, folder, name string) string {
	t.Helper()
	found, err := elf.Find("", name)
	if errors.Is(err, fs.ErrNotExist) {
		need.Command(t, name)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, filepath.Base(name))
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A worker is a program that waits for lines, and answers each when it is done.
type worker struct {
	in  *os.File
	out *bufio.Reader
	end func() // tells it that no line follows, and waits for its end
}

// startWorker starts a program that ends with the test, or before.
func startWorker(t *testing.T, cmd *exec.Cmd) *worker {
	t.Helper()
	in, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	end := sync.OnceFunc(func() {
		lines.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd.Path, err)
		}
	})
	t.Cleanup(end)
	return &worker{lines, bufio.NewReader(out), end}
}

// do sends a line, and returns the answer.
func (w *worker) do(t *testing.T, line string) string {
	t.Helper()
	w.send(t, line)
	return w.answer(t)
}

func (w *worker) send(t *testing.T, line string) {
	t.Helper()
	if _, err := w.in.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

func (w *worker) answer(t *testing.T) string {
	t.Helper()
	answer, err := w.out.ReadString('\n')
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return strings.TrimSpace(answer)
}

// onlyScripts leaves a configuration some of its scripts.
func onlyScripts(cfg *config.Config, names ...string) *config.Config {
	cfg.Scripts = slices.DeleteFunc(cfg.Scripts, func(s *config.Script) bool { return !slices.Contains(names, s.Name) })
	return cfg
}
