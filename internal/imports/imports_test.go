// Package imports tests which package may import which. docs/architecture.md
// describes the rule.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is what each package may import of this project. Tests may also
// import what stands in internal.
var mayImport = map[string][]string{
	"":                              {"cli"},
	"cli":                           {"bpfgen", "bpfgen/btffile", "bpfgen/elf", "bpfgen/kernel", "bpfgen/object", "bpfgen/probe", "configs", "dashboards", "exporter", "exporter/config", "exporter/configtest", "plylang", "report", "tracer", "tracer/decode"},
	"exporter":                      {"bpfgen", "bpfgen/kernel", "bpfgen/object", "exporter/config", "exporter/encode", "plylang", "tracer", "tracer/decode", "tracer/keys"},
	"exporter/config":               {"plylang"},
	"exporter/configtest":           {"exporter", "exporter/config", "plylang", "tracer/decode"},
	"exporter/encode":               {},
	"report":                        {"bpfgen/kernel", "bpfgen/object", "plylang", "tracer", "tracer/decode"},
	"tracer":                        {"bpfgen/elf", "bpfgen/kernel", "bpfgen/object", "plylang", "tracer/decode", "tracer/keys"},
	"tracer/decode":                 {"bpfgen/elf", "bpfgen/kernel", "bpfgen/object", "plylang", "tracer/containers", "tracer/userspace"},
	"tracer/containers":             {},
	"tracer/keys":                   {},
	"tracer/userspace":              {"bpfgen/elf", "bpfgen/object"},
	"bpfgen":                        {"bpfgen/ctype", "bpfgen/elf", "bpfgen/emit", "bpfgen/kernel", "bpfgen/object", "bpfgen/probe", "plylang"},
	"bpfgen/probe":                  {"bpfgen/ctype", "bpfgen/elf", "bpfgen/emit", "bpfgen/kernel", "bpfgen/object", "plylang"},
	"bpfgen/ctype":                  {"bpfgen/elf", "bpfgen/kernel", "plylang"},
	"bpfgen/btffile":                {"bpfgen/ctype", "bpfgen/kernel", "plylang"},
	"bpfgen/emit":                   {"plylang"},
	"bpfgen/object":                 {"bpfgen/kernel", "plylang"},
	"bpfgen/elf":                    {},
	"bpfgen/kernel":                 {"plylang"},
	"bpfgen/kernel/internal/sysnum": {},
	"plylang":                       {},
	"configs":                       {},
	"configs/tests":                 {},
	"configs/examples":              {},
	"docs":                          {},
	"dashboards":                    {"exporter"},
	"dashboards/alerts":             {},
}

// ownOf is what only one package knows.
var ownOf = map[string][]string{
	"github.com/prometheus/":             {"exporter", "exporter/encode", "cli"},
	"gopkg.in/yaml.v3":                   {"exporter/config"},
	"github.com/grafana/":                {"dashboards"},
	"github.com/ianlancetaylor/demangle": {"bpfgen/elf"},
	"golang.org/x/net/html":              {"exporter"},
	"github.com/spf13/pflag":             {"cli"},
}

const module = "ply-exporter"

type pkg struct {
	ImportPath string
	Imports    []string
}

func (p pkg) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// list asks the go command for the packages of this module. It needs no source
// that compiles.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"/...")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(pipe); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImports(t *testing.T) {
	all := list(t)
	if len(all) < 3 {
		t.Fatalf("go list finds only %v", all)
	}
	for _, p := range all {
		for _, wrong := range check(p) {
			t.Error(wrong)
		}
	}
}

// exporter/go-conntrack keeps out of the program what registers pages of its own, whose
// templates make it 2 MB larger.
func TestTracesAreNotLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/prometheus/exporter-toolkit/web") || slices.Contains(deps, "golang.org/x/net/trace") {
		t.Errorf("the program is linked with %q", deps)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct{ from, imports, want string }{
		{"ply-exporter", "ply-exporter/cli", ""},
		{"ply-exporter", "ply-exporter/exporter", "ply-exporter must not import ply-exporter/exporter"},
		{"ply-exporter/cli", "ply-exporter/exporter", ""},
		{"ply-exporter/exporter", "github.com/prometheus/client_golang/prometheus", ""},
		{"ply-exporter/internal/anything", "ply-exporter/tracer", ""},
		{"ply-exporter/bpfgen", "ply-exporter/tracer", "ply-exporter/bpfgen must not import ply-exporter/tracer"},
		{"ply-exporter/tracer", "ply-exporter/internal/need", "ply-exporter/tracer must not import ply-exporter/internal/need"},
		{"ply-exporter/plylang", "golang.org/x/sys/unix", "ply-exporter/plylang must import only the standard library, not golang.org/x/sys/unix"},
		{"ply-exporter/report", "gopkg.in/yaml.v3", "ply-exporter/report must not import gopkg.in/yaml.v3, which only exporter/config knows"},
		{"ply-exporter/util", "fmt", "package ply-exporter/util has no row in mayImport"},
	}
	for _, tt := range tests {
		if got := strings.Join(check(pkg{tt.from, []string{tt.imports}}), "\n"); got != tt.want {
			t.Errorf("%s imports %s: %q, want %q", tt.from, tt.imports, got, tt.want)
		}
	}
}

// check returns what is wrong with a package's imports.
func check(p pkg) (wrong []string) {
	if strings.HasPrefix(p.name(), "internal/") {
		return nil
	}
	allowed, known := mayImport[p.name()]
	if !known {
		wrong = append(wrong, "package "+p.ImportPath+" has no row in mayImport")
	}
	for _, path := range p.Imports {
		own, isOwn := strings.CutPrefix(path, module+"/")
		switch {
		case isOwn && !slices.Contains(allowed, own):
			wrong = append(wrong, p.ImportPath+" must not import "+path)
		case p.name() == "plylang" && strings.Contains(strings.Split(path, "/")[0], "."):
			wrong = append(wrong, p.ImportPath+" must import only the standard library, not "+path)
		}
		for prefix, owners := range ownOf {
			if strings.HasPrefix(path, prefix) && !slices.Contains(owners, p.name()) {
				wrong = append(wrong, p.ImportPath+" must not import "+path+", which only "+owners[0]+" knows")
			}
		}
	}
	return wrong
}
