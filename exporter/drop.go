package exporter

import (
	"slices"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// Dropped parts of keys
//
// A part of a key that "labels:" drops is taken out of the checked script: what is
// compiled has a map with shorter keys, in which the kernel adds up what differs in that
// part alone. Nothing behind this file knows of it.

// drops are the parts of the keys of a script's maps that the configuration drops, by
// map.
func drops(conf *config.Script) map[string][]bool {
	all := map[string][]bool{}
	for _, m := range conf.Metrics {
		for _, l := range m.Labels {
			all[m.Map] = append(all[m.Map], l.Drop)
		}
		if !slices.Contains(all[m.Map], true) {
			delete(all, m.Map)
		}
	}
	return all
}

// keptLabels is a script with the labels of what is left of its keys.
func keptLabels(conf *config.Script) *config.Script {
	dropped := drops(conf)
	if len(dropped) == 0 {
		return conf
	}
	out := *conf
	out.Metrics = slices.Clone(conf.Metrics)
	for i, m := range out.Metrics {
		if dropped[m.Map] != nil {
			kept := *m
			kept.Labels = slices.DeleteFunc(slices.Clone(m.Labels), func(l config.Label) bool { return l.Drop })
			out.Metrics[i] = &kept
		}
	}
	return &out
}

// dropParts takes the parts that are dropped out of the keys of maps, which clauses
// use.
func dropParts(conf *config.Script, all []*plylang.Map, clauses []*plylang.Clause) (errs plylang.ErrorList) {
	dropped := drops(conf)
	for _, given := range conf.Metrics {
		i := slices.IndexFunc(all, func(m *plylang.Map) bool { return m.Name == given.Map })
		if i < 0 || dropped[given.Map] == nil {
			continue
		}
		if err := dropPartsOf(all[i], given, clauses); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func dropPartsOf(decl *plylang.Map, given *config.Metric, clauses []*plylang.Clause) *plylang.Error {
	parts, err := droppedParts(decl, given)
	if err != nil {
		return err
	}
	refs := slices.Clone(decl.Uses)
	at := given.Labels[slices.IndexFunc(given.Labels, func(l config.Label) bool { return l.Drop })].At()
	for _, c := range clauses {
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			if d, ok := n.(*plylang.Delete); ok && d.Map.Map == decl {
				err = at.Errorf("no part of %s can be dropped: the script deletes single keys of it, which would not be the same ones", decl.Name)
			}
			if ref, ok := n.(*plylang.MapRef); ok && ref.Map == decl && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
			return true
		})
	}
	if err != nil {
		return err
	}
	for _, ref := range refs {
		ref.Keys = leftOf(ref.Keys, parts)
	}
	decl.Keys = leftOf(decl.Keys, parts)
	return nil
}

// droppedParts are the parts of the key that are dropped.
func droppedParts(decl *plylang.Map, given *config.Metric) ([]int, *plylang.Error) {
	labels := labelsFor(decl, given)
	if len(labels) != len(given.Labels) {
		return nil, wrongCount(decl, given, labels)
	}
	var parts []int
	for i, l := range given.Labels {
		if !l.Drop {
			continue
		}
		if decl.Agg == nil {
			return nil, l.At().Errorf("%s is a table, whose values cannot be added up: only keys of aggregations can have a part dropped", decl.Name)
		}
		if parts = append(parts, labels[i].part); len(parts) == len(decl.Keys) {
			return nil, l.At().Errorf("nothing is left of the key of %s: write it without a key in the script", decl.Name)
		}
	}
	return parts, nil
}

// leftOf returns what is left of the parts of a key.
func leftOf[T any](key []T, parts []int) (left []T) {
	for i, part := range key {
		if !slices.Contains(parts, i) {
			left = append(left, part)
		}
	}
	return left
}

// A fullKey is what a map would be of whose key nothing is dropped.
type fullKey struct {
	parts          []string // the names of what is dropped
	series, memory int
}

// fullKeys tells of the maps of which parts of the key are dropped, by name.
func (s *script) fullKeys(b Backend) map[string]fullKey {
	dropped := drops(s.conf)
	if len(dropped) == 0 {
		return nil
	}
	conf := *s.conf
	conf.Metrics = slices.Clone(conf.Metrics)
	for i, m := range conf.Metrics {
		if dropped[m.Map] != nil {
			whole := *m
			whole.Labels = nil
			conf.Metrics[i] = &whole
		}
	}
	full := &script{conf: &conf}
	if _, _ = full.compile(b, nil); full.compiled == nil {
		return nil
	}
	all := map[string]fullKey{}
	for i, m := range full.compiled.metrics {
		if dropped[m.decl.Name] == nil {
			continue
		}
		mp := full.compiled.object.Maps[i]
		all[m.decl.Name] = fullKey{s.droppedNames(m.decl), m.maxSeries(mp), mp.Memory(full.compiled.object.CPUs)}
	}
	return all
}

// droppedNames are the labels that would be inferred of the parts that are dropped.
func (s *script) droppedNames(decl *plylang.Map) (names []string) {
	i := slices.IndexFunc(s.conf.Metrics, func(m *config.Metric) bool { return m.Map == decl.Name })
	given := s.conf.Metrics[i]
	for j, l := range labelsFor(decl, given) {
		if given.Labels[j].Drop {
			names = append(names, l.name)
		}
	}
	return names
}
