package cli

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
)

// Man page and completions
//
// --help-man, --completion-script-bash and --completion-script-zsh are flags of
// kingpin, which prints templates. Ours replace its own: that man page escapes
// nothing and lists neither files nor statuses, and those completions do not know
// the name ply. What completes a word is kingpin's in all of them.

//go:embed man.tmpl
var manTemplate string

//go:embed completion.bash
var bashCompletion string

//go:embed completion.zsh
var zshCompletion string

// subject is what the program is, in the help and in the index of man pages.
const subject = "Prometheus exporter driven by ply scripts, and the ply command-line tool"

// generates makes the parser print these files.
func generates(app *kingpin.Application) {
	kingpin.ManPageTemplate = manTemplate
	kingpin.BashCompletionTemplate = literal(bashCompletion)
	kingpin.ZshCompletionTemplate = literal(zshCompletion)
	app.UsageFuncs(template.FuncMap{
		"roff":       roff,
		"IsMany":     isMany,
		"ManDate":    manDate,
		"ManSubject": func() string { return subject },
		"ManVersion": func() string { return version.Version },
	})
}

// literal is a template that prints a text.
func literal(text string) string { return "{{" + strconv.Quote(text) + "}}" }

// isMany says whether an argument may be given more than once.
func isMany(v kingpin.Value) bool {
	many, ok := v.(interface{ IsCumulative() bool })
	return ok && many.IsCumulative()
}

// roff escapes a text for a line of a man page: what has a meaning there, and
// what is not ASCII.
func roff(text string) string {
	var out strings.Builder
	for i, c := range text {
		switch {
		case c == '.' && i == 0: // not a request
			out.WriteString(`\&.`)
		case c == '-':
			out.WriteString(`\-`)
		case c == '\n':
			out.WriteByte(' ')
		case strings.ContainsRune("\\\"'`^~", c) || c >= 0x80:
			fmt.Fprintf(&out, `\[u%04X]`, c)
		default:
			out.WriteRune(c)
		}
	}
	return out.String()
}

// manDate is the day of a man page: that of SOURCE_DATE_EPOCH, by which builds
// that can be repeated know the time, or none.
func manDate() string {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
}
