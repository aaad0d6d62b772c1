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
	list := append(m.labelWarnings(checked), m.tableWarnings()...)
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
		if m.addsResults() && !s.notNegative(arg) && result(arg) != nil {
			list.Add(checked.Src, arg.Position(), "%s is negative where the call fails, and the error number is then subtracted: if (%s > 0) or a predicate keeps it out", arg, result(arg))
		}
		if b, ok := arg.(*plylang.Binary); ok && dropsUnit(b) {
			list.Add(checked.Src, b.Pos, "%s drops the unit of a duration: without it the exporter converts to seconds itself", arg)
		}
		if now := clock(arg); m.typ != dto.MetricType_GAUGE && now != nil {
			list.Add(checked.Src, arg.Position(), "%s is a point in time, and no duration: subtract when it began, as in time - @begin[tid], or use elapsed where a call returns", now)
		}
	})
	list = append(list, m.unitAlone()...)
	list = append(list, m.sinceBoot(checked)...)
	list = append(list, m.unusedBits(checked)...)
	list = append(list, m.beginsAgain(checked)...)
	list.Sort()
	return list
}

// labelWarnings warns of labels that are of no use to Prometheus.
func (m *metric) labelWarnings(checked *plylang.Script) (list plylang.ErrorList) {
	for _, l := range m.labels {
		if l.of == nil && slices.Contains(scrapeLabels, l.name) {
			list = append(list, m.labelError(checked, l, "label %q is set by scraping itself, this one becomes exported_%s: give it another name with labels:", l.name, l.name))
		}
		t := m.decl.Keys[l.part]
		if t.Kind == plylang.Pointer && t.Display == nil {
			list = append(list, m.labelError(checked, l, "label %q is an address, which is another one after each start of the machine: ksym() shows the name of a function, str() a text", l.name))
		}
		if t.Unit == plylang.Timestamp {
			list = append(list, m.labelError(checked, l, "label %q is a point in time, and each event has its own, so that there is a new series for each: leave it out, Prometheus knows when it scraped", l.name))
		}
	}
	return list
}

// unitAlone warns of plain numbers that are called seconds and not turned into such.
func (m *metric) unitAlone() plylang.ErrorList {
	if m.given == nil || m.given.Unit != "seconds" || m.given.Scale != nil {
		return nil
	}
	if own, _ := ownUnit(m.decl.Value); own != "" {
		return nil
	}
	return plylang.ErrorList{m.given.At("unit").Errorf("unit: the plain numbers of %s are called seconds, and exported as they are: x * 1ns in the script makes a duration of nanoseconds, scale: 1e-9 does the same, and scale: 1 says that they are seconds", m.decl.Name)}
}

// unusedBits warns of buckets that are asked to be finer than those of Prometheus
// are.
func (m *metric) unusedBits(checked *plylang.Script) (list plylang.ErrorList) {
	args := m.decl.Args
	if m.typ != dto.MetricType_HISTOGRAM || m.givenBuckets() != nil || m.native != nil || m.decl.Agg.Name != "quantize" || len(args) < 2 {
		return nil
	}
	if bits, ok := plylang.ConstInt(args[1]); ok && bits > 0 {
		list.Add(checked.Src, args[1].Position(), "the buckets of %s stay powers of two, these bits divide them in \"run\" only: add native: true in the configuration, list bounds with buckets:, or write llquantize()", m.name)
	}
	return list
}

// beginsAgain warns of a counter or histogram that the script clears.
func (m *metric) beginsAgain(checked *plylang.Script) (list plylang.ErrorList) {
	if m.typ == dto.MetricType_GAUGE {
		return nil
	}
	for _, c := range checked.Clauses {
		plylang.Inspect(c.Body, func(x plylang.Expr) {
			call, ok := x.(*plylang.Call)
			if !ok || call.Func == nil || call.Func.Name != "clear" {
				return
			}
			if ref, ok := call.Args[0].(*plylang.MapRef); ok && ref.Map == m.decl {
				list.Add(checked.Src, call.Position(), "%s begins at 0 again here, and what was counted since the last scrape is in none: leave it out, rate() in PromQL does it", m.name)
			}
		})
	}
	return list
}

// addsResults says whether a negative number makes the metric smaller.
func (m *metric) addsResults() bool {
	return m.decl.Agg != nil && (m.decl.Agg.Name == "sum" || m.decl.Agg.Name == "avg")
}

// result is the result of a call in an expression; nil: there is none.
func result(x plylang.Expr) (found plylang.Expr) {
	plylang.Inspect(x, func(x plylang.Expr) {
		name, isName := x.(*plylang.Name)
		member, isMember := x.(*plylang.Member)
		if isName && name.Func != nil && name.Func.Name == "retval" || isMember && member.Name == "ret" {
			found = x
		}
	})
	return found
}

// sinceBoot warns of a gauge that is a point in time on a clock that Prometheus
// does not have.
func (m *metric) sinceBoot(checked *plylang.Script) (list plylang.ErrorList) {
	if m.typ != dto.MetricType_GAUGE {
		return nil
	}
	for _, c := range checked.Clauses {
		plylang.Walk(c.Body, func(n plylang.Node) bool {
			a, ok := n.(*plylang.Assign)
			if !ok || a.X == nil {
				return true
			}
			if ref, ok := a.LHS.(*plylang.MapRef); ok && ref.Name == m.decl.Name {
				if at := bootTime(stored(a.X)); at != nil {
					list.Add(checked.Src, at.Position(), "%s counts from the start of the machine: walltime is the time of day, from which time() in PromQL can be subtracted", at)
				}
			}
			return true
		})
	}
	return slices.CompactFunc(list, func(a, b *plylang.Error) bool { return a.Pos == b.Pos })
}

// stored is what an aggregation or assignment stores.
func stored(x plylang.Expr) plylang.Expr {
	if call, ok := x.(*plylang.Call); ok && call.Func != nil && call.Func.Role == plylang.Aggregation && len(call.Args) > 0 {
		return call.Args[0]
	}
	return x
}

// bootTime is the point in time that an expression is, possibly in another unit,
// where it counts from the start of the machine; nil: it is something else.
func bootTime(x plylang.Expr) plylang.Expr {
	switch x := x.(type) {
	case *plylang.Binary:
		if x.Op == plylang.DIV || x.Op == plylang.MUL {
			return bootTime(x.X)
		}
	case *plylang.Cast:
		return bootTime(x.X)
	case *plylang.Name:
		if x.Func != nil && x.Func.Name == "secs" {
			return x
		}
	}
	if t := x.Type(); t != nil && t.Unit == plylang.Timestamp && t.Display != plylang.DisplayWalltime {
		return x
	}
	return nil
}

// clock is the clock that an expression reads, possibly in another unit; nil: it is
// something else, or a difference.
func clock(x plylang.Expr) plylang.Expr {
	switch x := x.(type) {
	case *plylang.Binary:
		if x.Op == plylang.DIV || x.Op == plylang.MUL {
			return clock(x.X)
		}
	case *plylang.Name:
		if t := x.Type(); x.Func != nil && t != nil && t.Unit == plylang.Timestamp {
			return x
		}
	}
	return nil
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

// dropsUnit says whether a duration is multiplied or divided by a plain number, or
// divided by a constant, and the result is a plain number.
func dropsUnit(b *plylang.Binary) bool {
	x, y, result := b.X.Type(), b.Y.Type(), b.Type()
	if b.Op != plylang.MUL && b.Op != plylang.DIV || x == nil || y == nil || result == nil {
		return false
	}
	_, isConstant := b.Y.(*plylang.Number)
	return x.Unit == plylang.Duration && (y.Unit == plylang.Plain || isConstant) && result.Unit == plylang.Plain
}
