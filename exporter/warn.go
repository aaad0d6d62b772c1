package exporter

import (
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/plylang"
)

// warn says what "check" has to say about a metric that works.
func (m *metric) warn(checked *plylang.Script) plylang.ErrorList {
	var list plylang.ErrorList
	for _, l := range m.labels {
		if slices.Contains(scrapeLabels, l.name) {
			list = append(list, m.labelError(checked, l, "label %q is set by scraping itself, this one becomes exported_%s: name it with labels:", l.name, l.name))
		}
	}
	list = append(list, m.tableWarnings()...)
	if m.isCounter() && !strings.HasSuffix(m.name, "_total") {
		list = append(list, m.nameAt.Errorf("counter %s has no _total: Prometheus' metadata will say unknown, because OpenMetrics has no such counter: name it %s_total", m.name, m.name))
	}
	eachStore(checked, m.decl.Name, func(call *plylang.Call, s *signs) {
		if len(call.Args) == 0 {
			return
		}
		arg := call.Args[0]
		if m.mayBeNegative() && !s.notNegative(arg) {
			list.Add(checked.Src, arg.Position(), "%s may be negative: such values count in the lowest bucket; if (%s >= 0) or a predicate keeps them out", arg, arg)
		}
		if b, ok := arg.(*plylang.Binary); ok && dropsUnit(b) {
			list.Add(checked.Src, b.Pos, "%s drops the unit of a duration: without it the exporter converts to seconds itself", arg)
		}
	})
	list.Sort()
	return list
}

// labelError is an error where a label has its name from: the configuration, or
// the key in the script.
func (m *metric) labelError(checked *plylang.Script, l label, format string, args ...any) *plylang.Error {
	if m.given != nil && m.given.Labels != nil {
		return m.given.At("labels").Errorf(format, args...)
	}
	for _, use := range m.decl.Uses {
		if l.part < len(use.Keys) {
			return &plylang.Error{Src: checked.Src, Pos: use.Keys[l.part].Position(), Msg: fmt.Sprintf(format, args...)}
		}
	}
	return m.script.At.Errorf(format, args...)
}

func (m *metric) mayBeNegative() bool {
	v := m.decl.Value
	asked := len(m.bounds.thresholds) > 0 && m.bounds.thresholds[0].Sign() < 0
	return m.typ == dto.MetricType_HISTOGRAM && v != nil && v.Signed && !v.Literal && v.Unit == plylang.Plain && !asked
}

// dropsUnit says whether a duration is multiplied or divided by a plain number, and
// the result is one.
func dropsUnit(b *plylang.Binary) bool {
	x, y, result := b.X.Type(), b.Y.Type(), b.Type()
	if b.Op != plylang.MUL && b.Op != plylang.DIV || x == nil || y == nil || result == nil {
		return false
	}
	return x.Unit == plylang.Duration && y.Unit == plylang.Plain && result.Unit == plylang.Plain
}
