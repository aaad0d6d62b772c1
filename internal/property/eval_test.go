package property

import (
	"errors"
	"fmt"
	"sort"

	"ply-exporter/plylang"
)

// The reference evaluator
//
// It walks the tree as docs/language.md reads, slowly and with Go's own
// arithmetic. The types it finds by itself, see infer_test.go.

// A world is what a script sees of the process that runs it.
type world map[string]value

// A firing is a probe that fires, with its variables.
type firing struct {
	spec  string // how the script names the probe
	world world
}

// evaluateBegin runs the BEGIN clauses of a checked script. It returns what is then
// in its maps: a line for each key, "@x[0x1, \"a\"] 0x2a", and what was printed,
// in order. An error says what the checker got wrong.
func evaluateBegin(script *plylang.Script, w world) ([]string, error) {
	return evaluate(script, []firing{{"BEGIN", w}})
}

// evaluate runs the clauses of all that fires.
func evaluate(script *plylang.Script, firings []firing) ([]string, error) {
	types, _, fault := typesOf(script)
	if fault != "" {
		return nil, errors.New(fault)
	}
	e := &evaluator{maps: map[*plylang.Map]contents{}, types: types}
	for _, f := range firings {
		e.world = f.world
		if e.fire(script, f.spec) == exited {
			break
		}
	}
	lines := e.printed
	for m, rows := range e.maps {
		for key, row := range rows {
			lines = append(lines, m.Name+"["+key+"] "+row.render(m))
		}
	}
	sort.Strings(lines)
	return lines, nil
}

func (e *evaluator) fire(script *plylang.Script, spec string) flow {
	for _, c := range script.Clauses {
		if c.Spec.String() == spec && e.clause(c) == exited {
			return exited
		}
	}
	return next
}

// An evaluator runs one script.
type evaluator struct {
	types   *types
	world   world
	maps    map[*plylang.Map]contents
	locals  map[*plylang.Local]value
	printed []string
}

type contents map[string]*row

// A value is a number, with its sign, or text.
type value struct {
	bits     uint64
	unsigned bool // of an unsigned type of 64 bits
	text     string
	isText   bool
}

func (v value) truth() bool { return v.bits != 0 || v.text != "" }

// render is a value as a part of a key, or in a table.
func (v value) render() string {
	if v.isText {
		return fmt.Sprintf("%q", v.text)
	}
	return fmt.Sprintf("%#x", v.bits)
}

// as is v read from a place of type t.
func (v value) as(t typ) value {
	v.isText, v.unsigned = t.text, t.wide()
	return v
}

// A flow says where execution goes on after a statement.
type flow uint8

const (
	next flow = iota
	broken
	continued
	returned
	exited
)

func (e *evaluator) clause(c *plylang.Clause) flow {
	e.locals = map[*plylang.Local]value{}
	if c.Pred != nil && !e.eval(c.Pred).truth() {
		return next
	}
	return e.block(c.Body)
}

func (e *evaluator) block(b *plylang.Block) flow {
	for _, s := range b.Stmts {
		if f := e.stmt(s); f != next {
			return f
		}
	}
	return next
}

func (e *evaluator) stmt(s plylang.Stmt) flow {
	switch s := s.(type) {
	case *plylang.Block:
		return e.block(s)
	case *plylang.If:
		return e.branch(s)
	case *plylang.Unroll:
		return e.unroll(s)
	case *plylang.Break:
		return broken
	case *plylang.Continue:
		return continued
	case *plylang.Return:
		return returned
	case *plylang.Delete:
		delete(e.maps[s.Map.Map], e.key(s.Map))
	case *plylang.Assign:
		e.assign(s)
	case *plylang.ExprStmt:
		return e.effect(s.X.(*plylang.Call))
	default:
		panic(fmt.Sprintf("property: no statement %T", s))
	}
	return next
}

// effect is exit(), clear() or printf().
func (e *evaluator) effect(call *plylang.Call) flow {
	if call.Name == "exit" {
		return exited
	}
	if call.Name == "clear" {
		delete(e.maps, call.Args[0].(*plylang.MapRef).Map)
		return next
	}
	var values []value
	var types []typ
	for _, x := range call.Args[1:] {
		values, types = append(values, e.eval(x)), append(types, e.types.of(x))
	}
	text := formatC(call.Args[0].(*plylang.StringLit).Value, values, types)
	e.printed = append(e.printed, printedLine(len(e.printed), text))
	return next
}

// printedLine is a line of what is printed, in order.
func printedLine(n int, text string) string { return fmt.Sprintf("printed %03d: %q", n, text) }

func (e *evaluator) branch(s *plylang.If) flow {
	switch {
	case e.eval(s.Cond).truth():
		return e.block(s.Then)
	case s.Else != nil:
		return e.stmt(s.Else)
	}
	return next
}

func (e *evaluator) unroll(s *plylang.Unroll) flow {
	for range s.Count.Value {
		switch f := e.block(s.Body); f {
		case broken:
			return next
		case returned, exited:
			return f
		}
	}
	return next
}

func (e *evaluator) assign(s *plylang.Assign) {
	ref, isMap := s.LHS.(*plylang.MapRef)
	if isMap && ref.Map.Agg != nil {
		e.aggregate(ref, s.X.(*plylang.Call))
		return
	}
	v := e.assigned(s)
	if !isMap {
		local := s.LHS.(*plylang.Name).Local
		e.locals[local] = v.as(e.types.local(local))
		return
	}
	e.row(ref).value = v.as(e.types.value(ref.Map))
}

// assignOps are the operators of compound assignments.
var assignOps = map[plylang.Token]plylang.Token{
	plylang.ADD_ASSIGN: plylang.ADD, plylang.SUB_ASSIGN: plylang.SUB, plylang.MUL_ASSIGN: plylang.MUL,
	plylang.DIV_ASSIGN: plylang.DIV, plylang.MOD_ASSIGN: plylang.MOD, plylang.OR_ASSIGN: plylang.OR,
	plylang.AND_ASSIGN: plylang.AND, plylang.XOR_ASSIGN: plylang.XOR, plylang.SHL_ASSIGN: plylang.SHL,
	plylang.SHR_ASSIGN: plylang.SHR, plylang.INC: plylang.ADD, plylang.DEC: plylang.SUB,
}

func (e *evaluator) assigned(s *plylang.Assign) value {
	switch s.Op {
	case plylang.ASSIGN:
		return e.eval(s.X)
	case plylang.INC, plylang.DEC:
		return compute(assignOps[s.Op], e.eval(s.LHS), value{bits: 1})
	}
	return compute(assignOps[s.Op], e.eval(s.LHS), e.eval(s.X))
}

// key renders the key of a use of a map.
func (e *evaluator) key(ref *plylang.MapRef) string {
	s := ""
	for i, k := range ref.Keys {
		if i > 0 {
			s += ", "
		}
		s += e.eval(k).render()
	}
	return s
}

// row returns the row of a key, which it creates.
func (e *evaluator) row(ref *plylang.MapRef) *row {
	rows := e.maps[ref.Map]
	if rows == nil {
		rows = contents{}
		e.maps[ref.Map] = rows
	}
	key := e.key(ref)
	if rows[key] == nil {
		rows[key] = &row{buckets: map[string]uint64{}}
	}
	return rows[key]
}
