package checked

import (
	"os"
	"path/filepath"
	"testing"

	"ply-exporter/cli"
)

// Command runs ply-exporter as a user does, and returns what it prints.
func Command(t testing.TB, args ...string) (said string, status int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	status = cli.Run(append([]string{"ply-exporter"}, args...), cli.Streams{In: os.Stdin, Out: out, Err: out})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), status
}
