package cli

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"ply-exporter/internal/need"
)

// manPage is the man page of a day, as a file.
func manPage(t *testing.T) (path, text string) {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1764374400")
	r := ply(t, "--help-man")
	if r.status != 0 || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	return writeFile(t, "ply-exporter.1", r.stdout), r.stdout
}

// The title line names the page, its section, the day and the version, and
// nothing depends on when the page is made.
func TestManPageTitle(t *testing.T) {
	_, page := manPage(t)
	title, _, _ := strings.Cut(page, "\n")
	if !strings.HasPrefix(title, `.TH ply\-exporter 1 "2025-11-29" "ply\-exporter `) || !strings.HasSuffix(title, `" "User Commands"`) {
		t.Errorf("title %q", title)
	}
	if _, again := manPage(t); again != page {
		t.Error("two pages of one day differ")
	}
}

// Every command, flag and argument that the help shows is in the man page, and
// no other.
func TestManPageHasAll(t *testing.T) {
	_, page := manPage(t)
	var p program
	p.define()
	has := func(yes bool, text string) {
		t.Helper()
		if strings.Contains(page, text) != yes {
			t.Errorf("%q: want %v", text, yes)
		}
	}
	for _, c := range p.commands {
		c.flags.VisitAll(func(f *pflag.Flag) { has(!f.Hidden, `\fB\-\-`+roff(f.Name)+`\fR`) })
		if c.run != nil {
			has(true, `\fB`+roff("ply-exporter "+c.name)+`\fR`)
		}
		for _, a := range c.args {
			has(true, `\fI`+roff(a.name)+`\fR`)
		}
	}
	for _, title := range []string{"FILES", "EXIT STATUS", "ENVIRONMENT", "SIGNALS", "EXAMPLES"} {
		has(true, "\n.SH "+title+"\n")
	}
}

// The formatters have no complaint.
func TestManPageIsClean(t *testing.T) {
	page, _ := manPage(t)
	for _, formatter := range [][]string{
		{"mandoc", "-T", "lint", "-W", "warning"},
		{"groff", "-ww", "-man", "-T", "utf8", "-z"},
	} {
		t.Run(formatter[0], func(t *testing.T) {
			out, err := exec.Command(need.Command(t, formatter[0]), append(formatter[1:], page)...).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
