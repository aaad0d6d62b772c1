package exporter

import (
	"fmt"
	"slices"
	"strings"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

func (m *metric) userHelp() string {
	if m.given == nil {
		return ""
	}
	return m.given.Help
}

// helpText says where a metric's number comes from: the user's text, or
// "count() of tracepoint:sched/sched_switch, script block_io". It has no line
// number, which would change with every edit above it.
func helpText(checked *plylang.Script, m *metric) string {
	if text := m.userHelp(); text != "" {
		return text
	}
	return fmt.Sprintf("%s of %s, script %s%s%s", sourceText(m.decl), shortList(storingSpecs(checked, m.decl)), m.script.Name, note(m.decl), m.filterNote()+m.sampleNote())
}

// sampleNote says that the numbers are estimated.
func (m *metric) sampleNote() string {
	if m.script.Sample == nil {
		return ""
	}
	return "; of a sample of the events (ply_script_sample_ratio), which stands for all"
}

// tellExact says in the help of counts that they have what the kernel skipped,
// unless the user has written it.
func (list metrics) tellExact(checked *plylang.Script, obj *object.Object) {
	for i, m := range list {
		if len(obj.Maps[i].MissedBy) > 0 && m.help == helpText(checked, m) && m.userHelp() == "" {
			m.help += "; includes the events that the kernel skipped"
		}
	}
}

// sourceText is what feeds the map: "quantize(arg2)", "table $rx".
func sourceText(decl *plylang.Map) string {
	if decl.Agg == nil {
		return "table " + decl.Name
	}
	args := make([]string, len(decl.Args))
	for i, a := range decl.Args {
		args[i] = a.String()
	}
	return decl.Agg.Name + "(" + strings.Join(args, ", ") + ")"
}

func note(decl *plylang.Map) string {
	if text := bpfgen.ValuesOf(decl.Agg).Note; text != "" {
		return "; " + text
	}
	return ""
}

// storingSpecs are the specifications of the probes that store in the map.
func storingSpecs(checked *plylang.Script, decl *plylang.Map) (specs []*plylang.Spec) {
	for _, c := range checked.Clauses {
		if stores(c.Body, decl.Name) && !slices.Contains(specs, c.Spec) {
			specs = append(specs, c.Spec)
		}
	}
	return specs
}

// shortList names at most three specifications, and how many more there are.
func shortList(specs []*plylang.Spec) string {
	if len(specs) > 3 {
		return fmt.Sprintf("%s and %d more", specList(specs[:2]), len(specs)-2)
	}
	return specList(specs)
}

func specList(specs []*plylang.Spec) string { return strings.Join(specNames(specs), ", ") }

func specNames(specs []*plylang.Spec) []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.String()
	}
	return names
}

// stores says whether a statement stores in the map.
func stores(s plylang.Stmt, mapName string) bool {
	found := false
	eachAssign(s, func(a *plylang.Assign) {
		if ref, ok := a.LHS.(*plylang.MapRef); ok && ref.Name == mapName {
			found = true
		}
	})
	return found
}

// eachAssign calls f for every assignment in s, also in inner blocks.
func eachAssign(s plylang.Stmt, f func(*plylang.Assign)) {
	plylang.Walk(s, func(n plylang.Node) bool {
		if a, ok := n.(*plylang.Assign); ok {
			f(a)
		}
		return true
	})
}
