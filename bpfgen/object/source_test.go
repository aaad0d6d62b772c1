package object

import (
	"strings"
	"testing"

	"ply-exporter/plylang"
)

// The kernel has no room for a long line at each of its statements.
func TestSourceOfALongLine(t *testing.T) {
	src := &plylang.Source{Text: "BEGIN { " + strings.Repeat("x = x + 1; ", 10_000) + "}"}
	if text := (Source{src, 8}).String(); !strings.HasPrefix(text, "1:9: x = x + 1; x") || len(text) > 600 {
		t.Errorf("%d bytes: %.40s", len(text), text)
	}
}
