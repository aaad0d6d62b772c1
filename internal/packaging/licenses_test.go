package packaging

import (
	"debug/buildinfo"
	"path/filepath"
	"strings"
	"testing"
)

// The packages have a license of whatever is linked into the program and is not of this
// repository.
func testLicenses(t *testing.T, stage string) {
	text := output(t, "gzip", "-dc", filepath.Join(stage, "third-party-licenses.gz"))
	info, err := buildinfo.ReadFile(filepath.Join(stage, "ply-exporter"))
	if err != nil {
		t.Fatal(err)
	}
	titles := []string{"std/"}
	for _, m := range info.Deps {
		if m.Replace == nil {
			titles = append(titles, m.Path+"@"+m.Version+"/")
		}
	}
	for _, title := range titles {
		if !strings.Contains("\n"+text, "\n==== "+title) {
			t.Errorf("no license of %s", title)
		}
	}
}
