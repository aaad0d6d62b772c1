package exporter

import (
	"ply-exporter/bpfgen"
	"ply-exporter/plylang"
)

// withoutEffect reports what the configuration says of a map and could have no
// effect.
func (m *metric) withoutEffect(checked *plylang.Script) plylang.ErrorList {
	var errs plylang.ErrorList
	add := func(key, format string) {
		if p, given := m.given.Given(key); given {
			errs = append(errs, p.Errorf("%s: "+format, key, m.decl.Name))
		}
	}
	switch {
	case m.given == nil:
		return nil
	case len(m.decl.Keys) == 0:
		add("max_entries", "%s has no keys to limit: remove it")
		add("overflow", "%s has no keys, so it cannot overflow: remove it")
		add("expire", "%s has no keys that could expire: remove it")
		add("top", "%s has no keys, so there is one series: remove it")
	case m.decl.Agg == nil && m.given.Overflow != "evict":
		add("overflow", "%s is a table, which always forgets its oldest key: remove it, or write evict")
	}
	if m.given.Expire != nil && *m.given.Expire > 0 && bpfgen.Cleared(checked)[m.decl] > 0 {
		add("expire", "%s is cleared by the script, so its keys cannot expire: remove it, or the clear()")
	}
	if m.decl.Agg == nil && m.given.Export == nil {
		for _, key := range exportKeys {
			add(key, "%s is a table, which is exported only on request: add export: true")
		}
	}
	errs.Sort()
	return errs
}

// exportKeys are the keys of "metrics:" that say how a map is exported.
var exportKeys = []string{"name", "help", "type", "unit", "scale", "labels", "buckets", "top"}
