package probe

import (
	"os"
	"strings"
	"testing"
)

// The manual lists every event of the table.
func TestBystandersInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bystanders {
		for _, event := range b.events {
			if !strings.Contains(string(manual), "`"+event+"`") {
				t.Errorf("no %s in docs/language.md", event)
			}
		}
	}
}
