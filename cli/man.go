package cli

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/version"
	"github.com/spf13/pflag"
)

//go:embed man.roff
var manText string

// manPage is the man page of the program.
func (p *program) manPage() string {
	var synopsis, commands strings.Builder
	for _, c := range p.within(p.root) {
		options := ""
		if c.flags.HasAvailableFlags() {
			options = ` [\fIoptions\fR]`
		}
		fmt.Fprintf(&synopsis, "\\fB%s\\fR%s%s\n", roff("ply-exporter "+c.name), options, c.manArguments())
		fmt.Fprintf(&commands, ".SS \"%s%s\"\n%s\n%s", roff(c.name), c.manArguments(), roff(c.help), manFlags(c.flags))
		for _, a := range c.args {
			fmt.Fprintf(&commands, ".TP\n\\fI%s\\fR\n%s\n", roff(a.name), roff(a.help))
		}
	}
	return strings.NewReplacer(
		"@DATE@", manDate(),
		"@VERSION@", roff(version.Version),
		"@SUBJECT@", roff(subject),
		"@SYNOPSIS@", strings.TrimSpace(synopsis.String()),
		"@OPTIONS@", strings.TrimSpace(manFlags(p.root.flags)),
		"@COMMANDS@", strings.TrimSpace(commands.String()),
	).Replace(manText)
}

// manArguments are the arguments of a command.
func (c *command) manArguments() (text string) {
	for _, a := range c.args {
		name := `\fI` + roff(a.name) + `\fR`
		if a.many {
			name += " ..."
		}
		if a.optional {
			name = "[" + name + "]"
		}
		text += " " + name
	}
	return text
}

// manFlags are flags with their help.
func manFlags(flags *pflag.FlagSet) (text string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		text += ".TP\n"
		if f.Shorthand != "" {
			text += `\fB\-` + f.Shorthand + `\fR, `
		}
		text += `\fB\-\-` + roff(f.Name) + `\fR`
		if value := placeholder(f); value != "" {
			text += `=\fI` + roff(value) + `\fR`
		}
		_, help := pflag.UnquoteUsage(f)
		text += "\n" + roff(help) + "\n"
	})
	return text
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
