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
		return cmp.Or(misplaced(name), p.similar(name))
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

// similar suggests the name of a command, where one was expected.
func (p *program) similar(name string) string {
	switch {
	case p.named == p.root && p.lookup(name) != nil:
		return ": a command stands before its flags"
	case p.named.run != nil:
		return ""
	}
	return plylang.DidYouMean(name, p.parts(p.named))
}

// flagNames are those of the command that the arguments name, or of serve.
func (p *program) flagNames() []string {
	if p.named == p.root {
		return visible(p.lookup("serve").flags)
	}
	return visible(p.named.flags)
}
