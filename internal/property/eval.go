package property

import (
	"fmt"
	"sort"

	"ply-exporter/plylang"
)

// The reference evaluator
//
// It walks the checked tree as docs/language.md reads, slowly and with Go's
// own arithmetic. Of what the checker found out it uses the types that join
// many places: those of maps, locals and "?:". What an operator makes of its
// operands it decides by itself.

// Evaluate runs the BEGIN clauses of a checked script. It returns what is then
// in its maps: a line for each key, "@x[0x1, \"a\"] 0x2a", in order.
func Evaluate(script *plylang.Script) []string {
	e := &evaluator{maps: map[*plylang.Map]contents{}}
	for _, c := range script.Clauses {
		if e.clause(c) == exited {
			break
		}
	}
	var lines []string
	for m, rows := range e.maps {
		for key, row := range rows {
			lines = append(lines, m.Name+"["+key+"] "+row.render(m))
		}
	}
	sort.Strings(lines)
	return lines
}

// An evaluator runs one script.
type evaluator struct {
	maps   map[*plylang.Map]contents
	locals map[*plylang.Local]value
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
func (v value) as(t *plylang.Type) value {
	v.isText, v.unsigned = t.Kind == plylang.String, unsigned(t)
	return v
}

func unsigned(t *plylang.Type) bool { return t.Kind == plylang.Int && t.Size == 8 && !t.Signed }

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
		return exited // no other function has an effect here
	default:
		panic(fmt.Sprintf("property: no statement %T", s))
	}
	return next
}

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
		e.locals[local] = v.as(local.Type)
		return
	}
	e.row(ref).value = v.as(ref.Map.Value)
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
