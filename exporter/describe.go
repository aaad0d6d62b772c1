package exporter

import (
	"errors"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A ScriptInfo is a script of a configuration and what it exports.
type ScriptInfo struct {
	Name, Help string
	Namespace  string // first part of the names of its metrics
	Metrics    []MetricInfo
}

// Describe returns what the scripts of a configuration export. It checks them
// without compiling or loading anything. What the kernel of the backend lacks is
// described by what the configuration says and the script is written like. Its
// error is a plylang.ErrorList of the user's mistakes and of the metrics about which
// that says too little.
func Describe(cfg *config.Config, b Backend) ([]ScriptInfo, error) {
	var names nameCheck
	var out []ScriptInfo
	var errs plylang.ErrorList
	for _, conf := range cfg.Scripts {
		s := &script{conf: conf}
		list, found := s.metricsAnywhere(b)
		info := ScriptInfo{Name: conf.Name, Help: conf.Help, Namespace: conf.Namespace}
		for _, m := range list.exported() {
			if err := names.add(m); err != nil && len(found) == 0 {
				found = append(found, err)
			}
			info.Metrics = append(info.Metrics, m.info())
		}
		out = append(out, info)
		errs = append(errs, found...)
	}
	if len(errs) > 0 {
		errs.Sort()
		return nil, errs
	}
	return out, nil
}

// metricsAnywhere returns the metrics that the script has on this or on another
// kernel.
func (s *script) metricsAnywhere(b Backend) (metrics, plylang.ErrorList) {
	checked, err := b.Check(s.conf.Source)
	if errors.Is(err, plylang.ErrMissing) {
		return s.metricsAsWritten(nil, err)
	}
	if err != nil {
		return nil, s.fail(err)
	}
	if errs := dropParts(s.conf, checked.Maps, checked.Clauses); len(errs) > 0 {
		return nil, errs
	}
	list, errs := inferMetrics(keptLabels(s.conf), checked)
	if len(errs) > 0 || len(checked.Absent) == 0 {
		return list, errs
	}
	absent, errs := s.metricsAsWritten(checked.Absent, nil)
	return append(list, absent...), errs
}

// metricsAsWritten describes maps of a script whose types are not known, all if only
// is empty. why is what the kernel lacks.
func (s *script) metricsAsWritten(only []*plylang.Map, why error) (metrics, plylang.ErrorList) {
	parsed, err := plylang.Parse(s.conf.Source)
	if err != nil {
		return nil, s.fail(err)
	}
	var list metrics
	all := mapsAsWritten(parsed)
	errs := dropParts(s.conf, all, nil)
	for _, decl := range all {
		if len(only) > 0 && !slices.ContainsFunc(only, func(m *plylang.Map) bool { return m.Name == decl.Name }) {
			continue
		}
		m := s.metricAsWritten(decl)
		if m.exported && m.name == "" {
			errs = append(errs, s.tooLittleKnown(decl, why))
		}
		list = append(list, m)
	}
	return list, errs
}

func (s *script) tooLittleKnown(decl *plylang.Map, why error) *plylang.Error {
	text := "this kernel lacks what stores in it"
	var all plylang.ErrorList
	if errors.As(why, &all) && len(all) > 0 {
		text = all[0].Msg
	}
	return &plylang.Error{Src: s.conf.Source, Pos: decl.Pos, Msg: "the unit of " + decl.Name + ", and so its name, is not known here (" + text +
		"): give it a name: in metrics:, or give --kernel FILE of a kernel that has it"}
}

// mapsAsWritten finds the maps of a script that nothing has checked.
func mapsAsWritten(parsed *plylang.Script) []*plylang.Map {
	var all []*plylang.Map
	find := func(ref *plylang.MapRef) *plylang.Map {
		for _, m := range all {
			if m.Name == ref.Name {
				return m
			}
		}
		all = append(all, &plylang.Map{Name: ref.Name, Pos: ref.Pos, Keys: make([]*plylang.Type, len(ref.Keys))})
		return all[len(all)-1]
	}
	for _, p := range parsed.Probes {
		plylang.Walk(p.Body, func(n plylang.Node) bool {
			if ref, ok := n.(*plylang.MapRef); ok {
				m := find(ref)
				m.Uses = append(m.Uses, ref)
			}
			return true
		})
		eachAssign(p.Body, func(a *plylang.Assign) {
			ref, isMap := a.LHS.(*plylang.MapRef)
			if !isMap {
				return
			}
			m := find(ref)
			m.Stored = true
			if call, ok := a.X.(*plylang.Call); ok && m.Agg == nil {
				m.Agg, m.Args = aggregation(call.Name), call.Args
			}
		})
	}
	return all
}

func aggregation(name string) *plylang.Func {
	if f := bpfgen.Lookup(name); f != nil && f.Role == plylang.Aggregation {
		return f
	}
	return nil
}

// metricAsWritten describes a map by what is written. It has no name when that says
// too little.
func (s *script) metricAsWritten(decl *plylang.Map) *metric {
	m := &metric{script: s.conf, decl: decl, nameAt: s.conf.At}
	for _, given := range keptLabels(s.conf).Metrics {
		if given.Map == decl.Name {
			m.given, m.nameAt = given, given.At("name")
		}
	}
	m.exported = decl.Stored && isExported(decl, m.given)
	m.typ, m.help = metricType(bpfgen.ValuesOf(decl.Agg).Metrics[0]), s.conf.Help
	m.labels = inferLabels(decl)
	if m.given != nil {
		m.asGiven()
	}
	if known := decl.Agg != nil && len(decl.Args) == 0; m.name == "" && (known || m.unit != "") {
		m.name = inferName(s.conf, decl.Name, m.unit, m.isCounter())
	}
	return m
}

func (m *metric) asGiven() {
	m.name, m.unit = m.given.Name, m.given.Unit
	if m.given.Type != "" {
		m.typ = dto.MetricType(dto.MetricType_value[strings.ToUpper(m.given.Type)])
	}
	if m.given.Help != "" {
		m.help = m.given.Help
	}
	var labels []label
	for i, l := range labelsFor(m.decl, m.given) {
		if i < len(m.given.Labels) {
			labels = append(labels, l.written(m.given.Labels[i])...)
		} else {
			labels = append(labels, l)
		}
	}
	m.labels = labels
}

// info is what is known of a metric without its map.
func (m *metric) info() MetricInfo {
	info := MetricInfo{Name: m.name, Help: m.help, Script: m.script.Name, Type: typeName(m.typ), Unit: m.unit, Bounds: m.bounds.les, MaxKeys: m.maxKeys()}
	for _, l := range m.labels {
		info.Labels = append(info.Labels, l.name)
	}
	return info
}

// maxKeys is how many keys the configuration lets a map have, and how many its label
// tables name; 0 when neither is said.
func (m *metric) maxKeys() int {
	limit := m.script.MaxEntries
	if m.given != nil && m.given.MaxEntries > 0 {
		limit = m.given.MaxEntries
	}
	named := 1
	for _, l := range m.labels {
		named *= len(l.rules.Map)
	}
	if named > 0 && (limit == 0 || named < limit) {
		return named
	}
	return limit
}
