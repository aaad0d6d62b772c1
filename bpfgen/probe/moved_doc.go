package probe

import (
	"fmt"
	"slices"
	"strings"
)

// A Moved is a function that has moved, for documents and for who records kernels.
type Moved struct {
	Name, Since string
	Effect      string   // what a script that names it gets, in Markdown
	Functions   []string // all functions that this is about
}

// AllMoved lists the functions that have moved, in the table's order.
func AllMoved() []Moved {
	all := make([]Moved, len(moves))
	for i := range moves {
		m := &moves[i]
		all[i] = Moved{Name: m.name, Since: m.sinceWhen(), Effect: m.effect(), Functions: []string{m.name}}
		if m.to != "" {
			all[i].Functions = append(all[i].Functions, m.to)
		}
		for _, spec := range m.use {
			if function, ok := strings.CutPrefix(spec, "kprobe:"); ok {
				all[i].Functions = append(all[i].Functions, function)
			}
		}
	}
	return all
}

// sinceWhen is the version of the row, in words where it holds on every kernel.
func (m *move) sinceWhen() string {
	if m.inlined != "" {
		return "any"
	}
	return fmt.Sprintf("%d.%d", m.since[0], m.since[1])
}

// effect says what a script gets.
func (m *move) effect() string {
	var parts []string
	if m.renamed() && m.to != "" {
		parts = append(parts, "attached to `"+m.to+"`")
	}
	if m.also != "" {
		parts = append(parts, "does the work of "+m.also+" too")
	}
	if m.was.number == result {
		parts = append(parts, "a warning says that `retval` is no `"+m.was.declared+"`")
	}
	parts = append(parts, m.effectOnArgs()...)
	switch {
	case m.inlined != "":
		parts = append(parts, "a warning says that it is inlined in "+m.inlined+", and names `"+strings.Join(m.use, "` and `")+"`")
	case len(m.use) > 0:
		parts = append(parts, "without it an error names `"+strings.Join(m.use, "` or `")+"`")
	}
	return strings.Join(parts, "; ")
}

// effectOnArgs says what becomes of the arguments that are not where they were.
func (m *move) effectOnArgs() (parts []string) {
	var old, now []string
	for i, arg := range m.args {
		switch name := fmt.Sprintf("`arg%d`", i); {
		case arg.target != "":
			parts = append(parts, fmt.Sprintf("%s is the `%s` that it was, to which the argument points", name, arg.target))
		case arg.user:
			parts = append(parts, name+" is known as user memory")
		case arg.write != "":
			old, now = append(old, name), append(now, "`"+arg.write+"`")
		case arg.number != i:
			parts = append(parts, fmt.Sprintf("%s is its `arg%d`", name, arg.number))
		}
	}
	if old == nil {
		return parts
	}
	what := "a warning"
	if m.renamed() {
		what = "an error"
	}
	return append(parts, fmt.Sprintf("%s asks for %s in place of %s", what, strings.Join(slices.Compact(now), ", "), strings.Join(old, ", ")))
}
