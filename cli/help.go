package cli

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/version"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// subject is what the program is, in the help and in the index of man pages.
const subject = "Prometheus exporter driven by ply scripts, and the ply command-line tool"

// An asked is the text that a flag asks for instead of running the command. As an
// error it ends the parsing.
type asked string

func (asked) Error() string { return "a text is asked for" }

// addRoot adds what stands for the program itself, with the flags of all commands.
// Each of them asks for a text.
func (p *program) addRoot() {
	p.root = p.add("", subject+".")
	p.named = p.root
	flags := p.root.flags
	add := func(name, short, help string, text func() string) {
		flags.BoolFuncP(name, short, help, func(string) error { return asked(text()) })
	}
	add("help", "h", "Show the help of a command (also try --help-long and --help-man).", func() string { return p.helpOf(p.named, false) })
	add("version", "", "Show the version.", versionText)
	add("help-long", "", "", func() string { return p.helpOf(p.root, true) })
	add("help-man", "", "", p.manPage)
	add("completion-script-bash", "", "", func() string { return bashCompletion })
	add("completion-script-zsh", "", "", func() string { return zshCompletion })
	hide(flags, "help-long", "help-man", "completion-script-bash", "completion-script-zsh")
}

// addHelp adds the command that is --help of another.
func (p *program) addHelp() {
	c := p.add("help", "Show the help of a command.",
		argument{name: "command", help: "Its name.", optional: true, many: true, options: func() []string { return p.parts(p.root) }})
	c.run = func(words []string) int {
		if p.named, words = p.find(words); len(words) > 0 {
			return p.usage(fmt.Errorf("unexpected %s", words[0]))
		}
		return p.show(p.helpOf(p.named, false))
	}
}

// versionText is what version.Print of prometheus/common has, which links templates.
func versionText() string {
	return fmt.Sprintf("ply-exporter, version %s (branch: %s, revision: %s)\n", version.Version, version.Branch, version.GetRevision()) +
		fmt.Sprintf("  build user:       %s\n  build date:       %s\n", version.BuildUser, version.BuildDate) +
		fmt.Sprintf("  go version:       %s\n  platform:         %s/%s\n", version.GoVersion, version.GoOS, version.GoArch) +
		fmt.Sprintf("  tags:             %s\n", version.GetTags())
}

// helpOf is the help of a command; a long one has the flags of all its parts.
func (p *program) helpOf(c *command, long bool) string {
	t := &page{width: p.width()}
	title := "ply-exporter " + c.synopsis()
	if p.name != "" && c.name == "run" {
		title = p.name + strings.TrimPrefix(c.synopsis(), "run")
	}
	t.paragraph("", "usage: "+title)
	t.line()
	t.paragraph("", c.help)
	t.line("", "Flags:")
	if c == p.root {
		t.columns("  ", flagRows(c.flags))
	} else {
		t.columns("  ", flagRows(p.root.flags, c.flags))
	}
	if len(c.args) > 0 {
		t.line("", "Args:")
		t.columns("  ", c.argumentRows())
	}
	if c.run == nil {
		t.line("", "Commands:")
	}
	for i, part := range p.within(c) {
		if i > 0 {
			t.line()
		}
		t.paragraph("", part.synopsis())
		t.paragraph("    ", part.help)
		if rows := slices.Concat(flagRows(part.flags), part.argumentRows()); long && len(rows) > 0 {
			t.line()
			t.columns("    ", rows)
		}
	}
	return t.String()
}

// synopsis is a command with what may follow it.
func (c *command) synopsis() string {
	var words, optional []string
	if c.name != "" {
		words = append(words, c.name)
	}
	c.flags.VisitAll(func(f *pflag.Flag) {
		switch {
		case isRequired(f):
			words = append(words, flagTitle(f))
		case !f.Hidden:
			optional = []string{"[<flags>]"}
		}
	})
	words = append(words, optional...)
	for _, a := range c.args {
		words = append(words, a.title())
	}
	if c.run == nil {
		words = append(words, "<command> [<args> ...]")
	}
	return strings.Join(words, " ")
}

// title is an argument as the help shows it.
func (a argument) title() string {
	title := "<" + a.name + ">"
	if a.many {
		title += "..."
	}
	if a.optional {
		title = "[" + title + "]"
	}
	return title
}

// argumentRows are the arguments with their help.
func (c *command) argumentRows() (rows [][2]string) {
	for _, a := range c.args {
		rows = append(rows, [2]string{a.title(), a.help})
	}
	return rows
}

// flagRows are the flags with their help.
func flagRows(sets ...*pflag.FlagSet) (rows [][2]string) {
	indent := ""
	for _, flags := range sets {
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Shorthand != "" && !f.Hidden {
				indent = "    "
			}
		})
	}
	for _, flags := range sets {
		flags.VisitAll(func(f *pflag.Flag) {
			title := indent + flagTitle(f)
			if f.Shorthand != "" {
				title = "-" + f.Shorthand + ", " + flagTitle(f)
			}
			if _, help := pflag.UnquoteUsage(f); !f.Hidden {
				rows = append(rows, [2]string{title, help})
			}
		})
	}
	return rows
}

// flagTitle is a flag with what stands for its value.
func flagTitle(f *pflag.Flag) string {
	title := "--" + f.Name
	switch value := placeholder(f); {
	case value != "":
		title += "=" + value
	case f.Value.Type() == "bool":
		title = "--[no-]" + f.Name
	}
	if isMany(f) {
		title += " ..."
	}
	return title
}

// placeholder stands for the value of a flag: what its help quotes, the default, or
// the name; "" for a flag without a value.
func placeholder(f *pflag.Flag) string {
	quoted, help := pflag.UnquoteUsage(f)
	switch {
	case takesNone(f):
		return ""
	case help != f.Usage:
		return quoted
	}
	return cmp.Or(strings.Trim(f.DefValue, "[]"), strings.ToUpper(f.Name))
}

// A page is a text for a terminal of some width.
type page struct {
	strings.Builder
	width int
}

// width is how wide the terminal is, 80 where there is none.
func (p *program) width() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if size, err := unix.IoctlGetWinsize(int(p.Out.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}

// line writes lines as they are, or an empty one.
func (t *page) line(lines ...string) { t.WriteString(strings.Join(lines, "\n") + "\n") }

// paragraph writes a text in lines of the page's width.
func (t *page) paragraph(indent, text string) {
	for _, line := range wrap(text, t.width-len(indent)) {
		t.line(indent + line)
	}
}

// columns writes rows of two columns. What is too wide for the first one has a
// line of its own.
func (t *page) columns(indent string, rows [][2]string) {
	const widest = 30
	first := 0
	for _, row := range rows {
		if n := utf8.RuneCountInString(row[0]); n < widest {
			first = max(first, n)
		}
	}
	for _, row := range rows {
		title := row[0]
		if utf8.RuneCountInString(title) > first {
			t.line(indent + title)
			title = ""
		}
		for _, line := range wrap(row[1], t.width-len(indent)-first-2) {
			t.line(fmt.Sprintf("%s%-*s  %s", indent, first, title, line))
			title = ""
		}
	}
}

// wrap divides a text into lines of a width, between words.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}
