package cli

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// The shells' scripts ask the program what may follow, with this flag before the
// words of the command line up to the one that is being written.
const completes = "--completion-bash"

//go:embed completion.bash
var bashCompletion string

//go:embed completion.zsh
var zshCompletion string

// toComplete are the words of a command line that is being written, if the
// arguments ask about one.
func (p *program) toComplete() (words []string, ok bool) {
	i := slices.Index(p.args, completes)
	if i < 0 || i > 1 || i == 1 && p.name == "" { // it stands behind run in those of ply
		return nil, false
	}
	words = slices.Delete(slices.Clone(p.args), i, i+1)
	if len(words) == i {
		words = append(words, "")
	}
	return words, true
}

// complete returns what the last of the words may be, in lines. The shell chooses
// those that begin with what there is of it.
func (p *program) complete(words []string) string {
	last := len(words) - 1
	c, before := p.find(words[:last])
	named := c
	if c == p.root {
		c = p.lookup("serve")
	}
	var may []string
	switch f := c.lacking(before); {
	case f != nil:
		s, _ := f.Value.(setting)
		may = s.options
	case strings.HasPrefix(words[last], "-"):
		may = slices.Concat(visible(p.root.flags), visible(c.flags))
	case named.run == nil && !slices.ContainsFunc(before, func(word string) bool { return !p.isCommon(word) }):
		may = p.parts(named)
	default:
		may = c.options(before)
	}
	return strings.Join(may, "\n") + "\n"
}

// lacking is the flag that the last of some words is, if its value is to follow.
func (c *command) lacking(words []string) (f *pflag.Flag) {
	if len(words) == 0 {
		return nil
	}
	switch word := words[len(words)-1]; {
	case strings.HasPrefix(word, "--"):
		f = c.flags.Lookup(word[2:])
	case strings.HasPrefix(word, "-") && len(word) == 2:
		f = c.flags.ShorthandLookup(word[1:])
	}
	if f == nil || takesNone(f) {
		return nil
	}
	return f
}

// options are what the argument behind some words may be.
func (c *command) options(words []string) []string {
	n := 0
	for _, word := range words {
		if !strings.HasPrefix(word, "-") {
			n++
		}
	}
	if n >= len(c.args) || c.args[n].options == nil {
		return nil
	}
	return c.args[n].options()
}

// visible are flags that the help shows.
func visible(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}
