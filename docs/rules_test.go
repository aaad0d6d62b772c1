package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"ply-exporter/internal/promtest"
)

var (
	ymlBlock  = regexp.MustCompile("(?ms)^```yml\n(.*?)^```$")
	alertName = regexp.MustCompile(`(?m)^ *- alert: (\w+)$`)
)

// rulesOf returns the rule files that a page shows: blocks of yml. The blocks of
// yaml are configurations.
func rulesOf(t *testing.T, page string) (rules []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range ymlBlock.FindAllSubmatch(text, -1) {
		rules = append(rules, string(match[1]))
	}
	return rules
}

// Every rule file in the documentation is one.
func TestRulesInTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range pages {
		for _, rules := range rulesOf(t, page) {
			found++
			if err := promtest.CheckRules(t, rules); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if found == 0 {
		t.Error("no rule files were found")
	}
}
