package cli

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"ply-exporter/plylang"
)

// didYouMean is the end of a message about a command or a flag that does not exist:
// those of nearly that name, or what was meant by another argument, or "".
func (p *program) didYouMean(text string) string {
	if name, ok := strings.CutPrefix(text, "unexpected "); ok {
		return cmp.Or(misplaced(name), p.command(name))
	}
	if name, ok := strings.CutPrefix(text, "unknown long flag '"); ok {
		return plylang.DidYouMean(strings.TrimSuffix(name, "'"), p.flagNames())
	}
	return ""
}

// misplaced says where a configuration or a script belongs that is an argument.
func misplaced(argument string) string {
	switch {
	case strings.ContainsAny(argument, "{}"):
		return ": run traces a script, and run -e compiles it only"
	case slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(argument)):
		return ": write --config " + argument
	}
	return ""
}

// command suggests the name of a command.
func (p *program) command(name string) string {
	if name != p.args[0] {
		return ""
	}
	return plylang.DidYouMean(name, p.commandNames())
}

func (p *program) commandNames() (names []string) {
	for _, c := range p.app.Model().Commands {
		names = append(names, c.Name)
	}
	return names
}

// flagNames are those of the command that the arguments begin with, or of serve.
func (p *program) flagNames() (names []string) {
	command := p.app.GetCommand(p.args[0])
	if command == nil {
		command = p.app.GetCommand("serve")
	}
	for _, f := range command.Model().Flags {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}
