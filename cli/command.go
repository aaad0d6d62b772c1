package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// A command is what the first words of a command line name, with what may follow
// them.
type command struct {
	name  string // "run", or "config show", which is a part of "config"
	help  string
	flags *pflag.FlagSet // without those that all commands have
	args  []argument
	run   func(args []string) int // nil if a part of it must be named
}

// An argument is what a command takes beside its flags.
type argument struct {
	name, help string
	optional   bool            // then those after it are optional, too
	many       bool            // only the last one
	options    func() []string // what it may be, for completion; may be nil
}

// add adds a command.
func (p *program) add(name, help string, args ...argument) *command {
	c := &command{name: name, help: help, args: args, flags: pflag.NewFlagSet(name, pflag.ContinueOnError)}
	c.flags.SortFlags = false
	p.commands = append(p.commands, c)
	return c
}

// lookup returns the command of a name, or nil.
func (p *program) lookup(name string) *command {
	for _, c := range p.commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// within are the commands that can run and are one, or part of it.
func (p *program) within(whole *command) (all []*command) {
	for _, c := range p.commands {
		if c.run != nil && c != whole && (whole == p.root || strings.HasPrefix(c.name, whole.name+" ")) {
			all = append(all, c)
		}
	}
	return all
}

// parts are the names of the commands that are part of one.
func (p *program) parts(whole *command) (names []string) {
	for _, c := range p.commands {
		before, part := "", c.name
		if i := strings.LastIndexByte(c.name, ' '); i >= 0 {
			before, part = c.name[:i], c.name[i+1:]
		}
		if before == whole.name && c != p.root {
			names = append(names, part)
		}
	}
	return names
}

// find takes the words that name a command off those of a command line, where
// flags of all commands may precede them.
func (p *program) find(words []string) (c *command, rest []string) {
	c, rest = p.root, slices.Clone(words)
	for i := 0; i < len(rest); {
		name := rest[i]
		if c != p.root {
			name = c.name + " " + name
		}
		switch next := p.lookup(name); {
		case next != nil && next != c:
			c, rest = next, slices.Delete(rest, i, i+1)
		case p.isCommon(rest[i]):
			i++
		default:
			return c, rest
		}
	}
	return c, rest
}

// isCommon says whether a word is a flag that all commands have.
func (p *program) isCommon(word string) bool {
	name, ok := strings.CutPrefix(word, "--")
	return word == "-h" || ok && p.root.flags.Lookup(name) != nil
}

// parse finds the command that words name, or else serve, sets its flags and
// returns its arguments.
func (p *program) parse(words []string) (c *command, args []string, err error) {
	c, words = p.find(words)
	p.named = c
	if c == p.root {
		if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
			return nil, nil, fmt.Errorf("unexpected %s", words[0])
		}
		c = p.lookup("serve")
	}
	args, err = c.parse(words, p.root.flags)
	switch {
	case err != nil:
		return nil, nil, err
	case c.run == nil && len(args) == 0:
		return nil, nil, fmt.Errorf("must select a subcommand of '%s'", c.name)
	}
	return c, args, c.check(args)
}

// parse sets the flags that words give, and returns the other words.
func (c *command) parse(words []string, common *pflag.FlagSet) ([]string, error) {
	give := func(f *pflag.Flag, value string) error { return set(f, value, words) }
	all := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	all.SetInterspersed(len(c.args) > 0) // else the first argument is one too many, whatever follows
	all.AddFlagSet(common)
	all.AddFlagSet(c.flags)
	c.flags.VisitAll(func(f *pflag.Flag) {
		if takesNone(f) {
			all.BoolFunc("no-"+f.Name, "", func(text string) error {
				if no, err := strconv.ParseBool(text); err == nil {
					text = strconv.FormatBool(!no)
				}
				return give(f, text)
			})
		}
	})
	if err := all.ParseAll(words, give); err != nil {
		return nil, explain(err)
	}
	if i := slices.IndexFunc(words, func(w string) bool { return w == "--" || strings.HasPrefix(w, "-test.") }); i >= 0 && words[i] != "--" {
		return nil, fmt.Errorf("unknown flag '%s'", words[i]) // pflag leaves them to Go's tests
	}
	args := all.Args()
	for i := range args {
		args[i] = unmark(args[i])
	}
	return args, nil
}

// set sets a flag that stands among words. A word of its own that begins with a
// dash is no value: it is the next flag.
func set(f *pflag.Flag, value string, words []string) error {
	switch {
	case f.Changed && !isMany(f):
		return fmt.Errorf("flag '%s' cannot be repeated", f.Name)
	case len(value) > 1 && value[0] == '-':
		if name := nameBefore(value, f, words); name != "" {
			return fmt.Errorf("expected argument for flag '%s'", name)
		}
	}
	f.Changed = true
	err := f.Value.Set(unmark(value))
	if err != nil && f.Value.Type() == "bool" {
		return fmt.Errorf("--%s=%s: give true or false, or nothing, which is true", f.Name, value)
	}
	return err
}

// nameBefore is the name by which a flag is the word before its value; "" if they are one
// word.
func nameBefore(value string, f *pflag.Flag, words []string) string {
	for i, word := range words[:len(words)-1] {
		switch {
		case words[i+1] != value:
		case word == "--"+f.Name:
			return word
		case f.Shorthand != "" && len(word) > 1 && word[0] == '-' && word[1] != '-' && strings.HasSuffix(word, f.Shorthand):
			return "-" + f.Shorthand // the last of a group
		}
	}
	return ""
}

// explain says in the words of this program what pflag finds wrong.
func explain(err error) error {
	unknown, _ := errors.AsType[*pflag.NotExistError](err)
	wrong, _ := errors.AsType[*pflag.InvalidSyntaxError](err)
	alone, _ := errors.AsType[*pflag.ValueRequiredError](err)
	switch {
	case unknown != nil && unknown.GetSpecifiedShortnames() != "":
		names := unknown.GetSpecifiedShortnames()
		_, n := utf8.DecodeRuneInString(names)
		return fmt.Errorf("unknown short flag '-%s'", names[:n])
	case unknown != nil:
		return fmt.Errorf("unknown long flag '--%s'", unknown.GetSpecifiedName())
	case wrong != nil:
		return fmt.Errorf("unknown long flag '%s'", wrong.GetSpecifiedFlag())
	case alone != nil && alone.GetSpecifiedShortnames() != "":
		return fmt.Errorf("expected argument for flag '-%s'", alone.GetSpecifiedName())
	case alone != nil:
		return fmt.Errorf("expected argument for flag '--%s'", alone.GetSpecifiedName())
	}
	return err
}

// check says what is missing of a command line, or too much.
func (c *command) check(args []string) (err error) {
	n := len(c.args)
	switch {
	case len(args) < n && !c.args[len(args)].optional:
		return fmt.Errorf("required argument '%s' not provided", c.args[len(args)].name)
	case len(args) > n && (n == 0 || !c.args[n-1].many):
		return fmt.Errorf("unexpected %s", args[n])
	}
	c.flags.VisitAll(func(f *pflag.Flag) {
		if isRequired(f) && !f.Changed {
			err = fmt.Errorf("required flag '--%s' not provided", f.Name)
		}
	})
	return err
}
