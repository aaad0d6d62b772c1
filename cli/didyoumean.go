package cli

import (
	"strings"

	"ply-exporter/plylang"
)

// didYouMean is the end of a message about a command or a flag that does not exist:
// those of nearly that name, or "".
func (p *program) didYouMean(text string) string {
	if name, ok := strings.CutPrefix(text, "unexpected "); ok && name == p.args[0] {
		return plylang.DidYouMean(name, p.commandNames())
	}
	if name, ok := strings.CutPrefix(text, "unknown long flag '"); ok {
		return plylang.DidYouMean(strings.TrimSuffix(name, "'"), p.flagNames())
	}
	return ""
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
