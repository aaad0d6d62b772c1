package exporter

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// A metric is a map of a checked script and how it is exported.
type metric struct {
	script *config.Script
	decl   *plylang.Map
	given  *config.Metric // what the configuration says of it; nil when nothing
	name   string
	nameAt config.Position
	help   string
	typ    dto.MetricType
	unit   string
	scale  scale
	labels []label
	bounds bounds  // histograms
	native *native // of those that have native buckets, too
	top    int     // how many series are exported beside the one of all others; 0: all
	rises  bool    // what it adds up is not negative

	exported bool
	deletes  bool // the script deletes keys of the map
}

func (m *metric) isCounter() bool { return m.typ == dto.MetricType_COUNTER }

// starts says that the metric's series have a start time.
func (m *metric) starts() bool { return m.typ != dto.MetricType_GAUGE && m.exported }

// metrics are those of a script: one for each of its maps, in their order.
type metrics []*metric

// maxHistogramEntries is the default number of keys of a histogram.
const maxHistogramEntries = 1024

// inferMetrics decides what is exported of a checked script, and how.
func inferMetrics(s *config.Script, checked *plylang.Script) (metrics, plylang.ErrorList) {
	var list metrics
	given, errs := matchMetrics(s, checked)
	for _, decl := range checked.Maps {
		m, found := inferMetric(s, checked, decl, given[decl.Name])
		if m.exported = decl.Stored && isExported(decl, m.given); decl.Stored {
			errs = append(errs, found...)
		}
		m.deletes = deletesKeys(checked, decl)
		m.help = helpText(checked, m)
		list = append(list, m)
	}
	if exported := list.exported(); len(exported) == 1 && exported[0].userHelp() == "" && s.Help != "" {
		exported[0].help = s.Help
	}
	return list, errs
}

// deletesKeys says that a script deletes keys of a map.
func deletesKeys(checked *plylang.Script, decl *plylang.Map) (does bool) {
	for _, c := range checked.Clauses {
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			if d, ok := n.(*plylang.Delete); ok && d.Map.Map == decl {
				does = true
			}
			return true
		})
	}
	return does
}

// losesKeys says that a series can lose keys while it has others.
func (m *metric) losesKeys(mp *object.Map) bool {
	return mp.Expiry != nil || m.merges() && (m.deletes || mp.Storage == object.LRUHash)
}

// exported returns the metrics that are sent.
func (list metrics) exported() metrics {
	var out metrics
	for _, m := range list {
		if m.exported {
			out = append(out, m)
		}
	}
	return out
}

// warnings is what works, but should not be so.
func (list metrics) warnings(checked *plylang.Script) plylang.ErrorList {
	var out plylang.ErrorList
	for _, m := range list.exported() {
		out = append(out, m.warn(checked)...)
	}
	return append(out, list.nothing(checked)...)
}

// options are what the maps need of the code generator.
func (list metrics) options(s *config.Script) bpfgen.Options {
	opt := bpfgen.Options{MaxEntries: s.MaxEntries, Sample: s.Sample != nil, Maps: map[string]bpfgen.MapOptions{}}
	for _, m := range list {
		opt.Maps[m.decl.Name] = mapOptions(s, m)
	}
	return opt
}

// matchMetrics finds the map of each entry of "metrics:".
func matchMetrics(s *config.Script, checked *plylang.Script) (map[string]*config.Metric, plylang.ErrorList) {
	var errs plylang.ErrorList
	var names []string
	for _, decl := range checked.Maps {
		names = append(names, decl.Name)
	}
	given := map[string]*config.Metric{}
	for _, m := range s.Metrics {
		if slices.ContainsFunc(checked.Absent, func(decl *plylang.Map) bool { return decl.Name == m.Map }) {
			continue
		}
		if !slices.Contains(names, m.Map) {
			errs = append(errs, m.At("map").Errorf("script %s has no map %s%s", s.Name, m.Map, hasMaps(m.Map, names)))
			continue
		}
		given[m.Map] = m
	}
	return given, errs
}

func hasMaps(name string, names []string) string {
	if len(names) == 0 {
		return ": it has none"
	}
	if q := plylang.DidYouMean(name, names); q != "" {
		return q
	}
	return ": it has " + strings.Join(names, ", ")
}

func isExported(decl *plylang.Map, given *config.Metric) bool {
	if given != nil && given.Export != nil {
		return *given.Export
	}
	return decl.Agg != nil
}

func inferMetric(s *config.Script, checked *plylang.Script, decl *plylang.Map, given *config.Metric) (*metric, plylang.ErrorList) {
	m := &metric{script: s, decl: decl, given: given, nameAt: s.At}
	if given != nil {
		m.nameAt = given.At("name")
	}
	m.rises = rises(checked, decl)
	kind, err := m.resolveType()
	if err != nil {
		return m, plylang.ErrorList{err}
	}
	m.typ = kind
	var errs plylang.ErrorList
	m.unit, m.scale, errs = inferUnit(decl.Value, given)
	m.name = inferName(s, decl.Name, m.unit, m.isCounter())
	if given != nil && given.Name != "" {
		m.name = given.Name
	}
	labels, err := resolveLabels(decl, given)
	if err != nil {
		errs = append(errs, err)
	}
	m.labels = labels
	if given != nil {
		m.top = given.Top
	}
	if decl.Agg == nil && m.isCounter() && m.top > 0 {
		errs = append(errs, given.At("top").Errorf("top: the numbers of %s may be any, so that the rest does not add up: it is for aggregations and gauges", decl.Name))
	}
	errs = append(errs, m.withoutEffect(checked)...)
	errs = append(errs, m.resolveBounds()...)
	if m.native, err = m.resolveNative(); err != nil {
		errs = append(errs, err)
	}
	return m, errs
}

func (m *metric) resolveBounds() plylang.ErrorList {
	if m.typ != dto.MetricType_HISTOGRAM {
		if m.given != nil && m.given.Buckets != nil {
			return plylang.ErrorList{m.given.At("buckets").Errorf("buckets are for histograms: %s is a %s", m.decl.Name, typeName(m.typ))}
		}
		return nil
	}
	var err *plylang.Error
	if m.bounds, err = m.histogramBounds(); err != nil {
		return plylang.ErrorList{err}
	}
	return nil
}

// types are what the map may be exported as, the default first.
func (m *metric) types() []object.Metric {
	values := bpfgen.ValuesOf(m.decl.Agg)
	if m.rises {
		return values.Metrics
	}
	return values.MetricsOf(m.decl.Value)
}

// rises says whether nothing that is fed into an aggregation can be negative.
func rises(checked *plylang.Script, decl *plylang.Map) bool {
	yes := decl.Agg != nil
	eachStore(checked, decl.Name, func(call *plylang.Call, s *signs) {
		yes = yes && (len(call.Args) == 0 || s.notNegative(call.Args[0]))
	})
	return yes
}

func (m *metric) resolveType() (dto.MetricType, *plylang.Error) {
	types := m.types()
	if isExported(m.decl, m.given) && m.decl.Agg == nil && !isNumber(m.decl.Value) {
		return 0, m.given.At("export").Errorf("%s holds no numbers: only numbers can be exported", m.decl.Name)
	}
	if m.given == nil || m.given.Type == "" {
		return metricType(types[0]), nil
	}
	if t := object.Metric(m.given.Type); slices.Contains(types, t) {
		return metricType(t), nil
	}
	return 0, m.given.At("type").Errorf("%s cannot be a %s: it is a %s", m.decl.Name, m.given.Type, types[0])
}

func metricType(t object.Metric) dto.MetricType {
	return dto.MetricType(dto.MetricType_value[strings.ToUpper(string(t))])
}

func isNumber(t *plylang.Type) bool { return t.Integer() }

func typeName(t dto.MetricType) string { return strings.ToLower(t.String()) }

func mapOptions(s *config.Script, m *metric) bpfgen.MapOptions {
	var opt bpfgen.MapOptions
	if m.typ == dto.MetricType_HISTOGRAM {
		opt.Buckets = m.buckets()
	}
	if m.typ == dto.MetricType_HISTOGRAM && s.MaxEntries > 0 {
		opt.MaxEntries = min(s.MaxEntries, maxHistogramEntries)
	}
	opt.Other = m.decl.Agg != nil
	opt.Programs = !m.exported && m.given == nil
	if s.Expire != nil && m.exported && len(m.decl.Keys) > 0 {
		opt.Expire, opt.ExpireDefault = *s.Expire, true
	}
	if m.given != nil {
		opt.Evict = m.given.Overflow == "evict"
		opt.Other = opt.Other && (m.given.Overflow == "" || m.given.Overflow == "other")
		if m.given.MaxEntries > 0 {
			opt.MaxEntries = m.given.MaxEntries
		}
		if m.given.Expire != nil {
			opt.Expire, opt.ExpireDefault = *m.given.Expire, false
		}
	}
	return opt
}
