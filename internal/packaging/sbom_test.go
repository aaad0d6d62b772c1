package packaging

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// The SBOM lists the modules that are in the binary, in their versions, and no
// other. One that is replaced by a folder here is listed as that.
func testSBOM(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "ply-exporter_1.0.0_"+runtime.GOARCH+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sbom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &sbom); err != nil || sbom.BOMFormat != "CycloneDX" {
		t.Fatalf("%q, %v", sbom.BOMFormat, err)
	}
	listed := map[string]string{}
	for _, c := range sbom.Components {
		listed[c.Name] = c.Version
	}
	info, err := buildinfo.ReadFile(filepath.Join(dir, "stage-"+runtime.GOARCH, "ply-exporter"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		m = cmp.Or(m.Replace, m)
		if listed[m.Path] != m.Version {
			t.Errorf("%s: %q, want %q", m.Path, listed[m.Path], m.Version)
		}
		delete(listed, m.Path)
	}
	delete(listed, "std")
	if len(listed) > 0 || len(info.Deps) < 10 {
		t.Errorf("%d modules in the binary, and listed besides: %v", len(info.Deps), listed)
	}
}
