package plylang

import (
	"fmt"
	"sort"
	"strconv"
)

// A mapState is a Map while it is checked.
type mapState struct {
	*Map
	sure   bool // a map, not the variable of a probe that is not known
	keyed  bool // a use with its key, or a keyless store, was seen
	keyPos Pos  // of that use
	keys   []*cell
	value  *cell
	table  Pos // first plain store; -1 when there is none
	agg    Pos // first aggregation, which Args are from
}

// surveyMaps finds the maps, and which are tables and which aggregations.
func (c *checker) surveyMaps() {
	for _, cl := range c.clauses {
		if cl.Pred != nil {
			cl.surveyUses(cl.Pred)
		}
		cl.surveyUses(cl.Body)
	}
	sort.SliceStable(c.order, func(i, j int) bool { return c.order[i].Pos < c.order[j].Pos })
	for _, m := range c.order {
		sort.SliceStable(m.Uses, func(i, j int) bool { return m.Uses[i].Pos < m.Uses[j].Pos })
		if _, stored := c.stored[m.Name]; !stored && m.sure && len(c.script.syntax) == 0 { // else a probe that is left out may store
			c.neverStored(m)
		}
	}
}

func (c *clause) surveyUses(n Node) {
	Walk(n, func(n Node) bool {
		switch n := n.(type) {
		case *Assign:
			if m, ok := n.LHS.(*MapRef); ok {
				c.surveyStore(c.mapOf(m), n)
			}
		case *ExprStmt: // count(@x), which is reported and reads nothing
			if m, _ := c.bareMethod(n); m != nil {
				return false
			}
			call, ok := n.X.(*Call)
			return !ok || call.Func == nil || call.Func.Role != Aggregation || mapArgument(call) == nil
		case *MapRef:
			m := c.mapOf(n)
			m.sure = m.sure || c.known || hasSigil(n.Name)
			n.Map = m.Map
			m.Pos = min(m.Pos, n.Pos)
			if !c.absent {
				m.Uses = append(m.Uses, n)
			}
		}
		return true
	})
}

func (c *checker) mapOf(ref *MapRef) *mapState {
	m := c.maps[ref.Name]
	if m == nil {
		m = &mapState{
			Map:   &Map{Name: ref.Name, Pos: ref.Pos},
			value: c.newCell("%s", ref.Name),
			table: -1,
		}
		c.maps[ref.Name] = m
		c.order = append(c.order, m)
	}
	return m
}

// surveyStore notes what an assignment makes of a map.
func (c *clause) surveyStore(m *mapState, a *Assign) {
	m.Stored = m.Stored || !c.absent
	pos, call := a.LHS.Position(), aggregation(a)
	switch {
	case a.Op == ASSIGN && unresolved(a.X): // may have been meant for an aggregation
	case call == nil && m.Agg != nil:
		c.mixed(m, a)
	case call == nil:
		if m.table < 0 {
			m.table = pos
		}
	case m.table >= 0:
		c.errorf(pos, "%s is fed by %s() here but holds plain values at %s: use two maps", m.Name, call.Name, c.where(m.table))
	case m.Agg == nil:
		m.Agg, m.agg, m.Args = call.Func, pos, call.Args
	case m.Agg.Name != call.Func.Name:
		c.errorf(pos, "%s is fed by %s() here but by %s() at %s: use two maps", m.Name, call.Name, m.Agg.Name, c.where(m.agg))
	}
}

// mixed reports a plain store to a map that an aggregation feeds.
func (c *clause) mixed(m *mapState, a *Assign) {
	c.errorf(a.LHS.Position(), "%s is changed with %v here but fed by %s() at %s: use two maps", m.Name, a.Op, m.Agg.Name, c.where(m.agg))
}

// unresolved says whether an expression is a name that means nothing here, or
// a function's without its arguments, which was reported.
func unresolved(x Expr) bool {
	switch x := x.(type) {
	case *Call:
		return x.Func == nil
	case *Name:
		return x.Func == nil && x.Local == nil
	}
	return false
}

// aggregation returns the aggregation that a feeds into a map, nil when it is
// a plain assignment.
func aggregation(a *Assign) *Call {
	call, ok := a.X.(*Call)
	if !ok || a.Op != ASSIGN || call.Func == nil || call.Func.Role != Aggregation {
		return nil
	}
	return call
}

// neverStored reports the first use of a map that nothing is stored in.
func (c *checker) neverStored(m *mapState) {
	pos := m.Uses[0].Pos
	switch {
	case m.Name[0] == '$' && m.Name[1:] != "" && isDigit(m.Name[1]):
		c.argumentMissing(m, pos)
	case m.Name == "$target":
		c.errorf(pos, "$target is the process of run -c \"CMD\", and exists only there")
	case m.Name[0] == '$':
		c.errorf(pos, "nothing is stored in %s, and the environment has no variable %s", m.Name, m.Name[1:])
	case c.isLocal(m.Name):
		c.errorf(pos, "%s is a variable of its probe, not a map: write %s = 0", m.Name, m.Name)
	case c.env.Lookup(m.Name) != nil:
		c.errorf(pos, "%s is a built-in, not a map", m.Name)
	default:
		c.errorf(pos, "%s is read but nothing is ever stored in it%s", m.Name, c.didYouMean(m.Name, c.storedNames))
	}
}

func (c *checker) isLocal(name string) bool {
	_, ok := c.assigned[name]
	return ok
}

// argumentMissing reports $1 and its kin.
func (c *checker) argumentMissing(m *mapState, pos Pos) {
	n, err := strconv.Atoi(m.Name[1:])
	switch {
	case n == 0 && err == nil:
		c.errorf(pos, "there is no %s: the script's arguments begin with $1", m.Name)
	case err != nil:
		c.errorf(pos, "%s is not given, and nobody gives so many arguments", m.Name)
	default:
		c.errorf(pos, "%s is not given: the script needs at least %s", m.Name, argCount(n))
	}
}

func (c *checker) storedNames() []string {
	var names []string
	for _, m := range c.order {
		if m.Stored && len(names) < maxSuggested {
			names = append(names, m.Name)
		}
	}
	return names
}

// keysOf types the keys of a use of a map, and joins them with those of its
// other uses.
func (c *clause) keysOf(ref *MapRef) {
	m := c.maps[ref.Name]
	types := make([]*Type, len(ref.Keys))
	for i := range ref.Keys {
		types[i] = c.keyLike(&ref.Keys[i], m, i)
	}
	switch {
	case !m.keyed:
		m.keyed, m.keyPos = true, ref.Pos
		for i := range ref.Keys {
			m.keys = append(m.keys, c.newCell("%s of %s", keyName(i, len(ref.Keys)), m.Name))
		}
	case len(ref.Keys) != len(m.keys) && c.isBuiltinVariable(m.Name):
		c.errorf(ref.Pos, "%s is a built-in variable, and a map too because something is stored in it: give the map another name", m.Name)
		return
	case len(ref.Keys) != len(m.keys):
		c.errorf(ref.Pos, "%s has %s here but %s at %s", m.Name, keyCount(len(ref.Keys)), keyCount(len(m.keys)), c.where(m.keyPos))
		return
	}
	for i, t := range types {
		c.put(m.keys[i], t, ref.Keys[i].Position())
	}
}

func (c *clause) isBuiltinVariable(name string) bool {
	f := c.lookup(name)
	return f != nil && f.Role == Variable
}

// keyLike types one part of a map's key, which goes together with those of its
// other uses.
func (c *clause) keyLike(slot *Expr, m *mapState, part int) *Type {
	if part < len(m.keys) {
		return c.like(slot, c.read(m.keys[part]), c.keyType)
	}
	return c.keyType(slot)
}

// isUnary says whether an operator stands before x, which a "." behind it would not
// belong to.
func isUnary(x Expr) bool {
	_, ok := x.(*Unary)
	return ok
}

// keyType types one part of a key.
func (c *clause) keyType(slot *Expr) *Type {
	x := *slot
	t := c.value(x)
	if t != nil && t.Kind == Struct {
		hint := ""
		if names := t.Struct.Names(); len(names) > 0 && !isUnary(x) {
			hint = fmt.Sprintf(", as in %s.%s", brief(x), names[0])
		}
		c.errorf(x.Position(), "a %s cannot be a key: use some of its members%s", structName(t), hint)
		return nil
	}
	return t
}

func keyName(i, n int) string {
	if n == 1 {
		return "the key"
	}
	return ordinals[min(i, len(ordinals)-1)] + " key"
}

var ordinals = []string{"the first", "the second", "the third", "the fourth", "the fifth", "the sixth", "a later"}

func keyCount(n int) string {
	switch n {
	case 0:
		return "no key"
	case 1:
		return "1 key"
	}
	return strconv.Itoa(n) + " keys"
}

// finish fills in what is known of the map.
func (m *mapState) finish() *Map {
	m.Keys = nil
	for _, k := range m.keys {
		m.Keys = append(m.Keys, unliteral(k.now, S64))
	}
	m.Value = unliteral(m.value.now, S64)
	if m.Value == nil && !m.Stored { // nothing that runs here tells
		m.Value = S64
	}
	if m.Agg != nil {
		m.Value = unliteral(m.value.now, U64)
	}
	return m.Map
}
