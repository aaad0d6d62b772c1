package property

import (
	"fmt"

	"ply-exporter/plylang"
)

// The reference's types
//
// They are found from the description alone, and not read from the checked
// tree: the type of an operation from its operands', the type of a map, of a
// part of its key and of a local by joining everything that is put there.
// That goes round and round until nothing changes, three times: what is only
// computed from itself is then taken to hold the zero that it begins with, and
// what only holds literals to be signed.

// A typ is what is known of a value before the script runs.
type typ struct {
	text     bool
	literal  bool // a number of which all that is known is that it is not negative and was written down
	unsigned bool
	duration bool
	size     int // bytes of a number where it is stored; the most that a text can have, with its NUL
}

var (
	literalTyp = typ{literal: true, size: 8}
	signedTyp  = typ{size: 8}
)

// wide says whether an operation with a number of that type is unsigned.
func (t typ) wide() bool { return t.unsigned && t.size == 8 }

func (t typ) String() string {
	switch {
	case t.text:
		return fmt.Sprintf("text of %d", t.size)
	case t.literal:
		return "literal"
	case t.duration:
		return "duration"
	case t.unsigned:
		return fmt.Sprintf("u%d", 8*t.size)
	}
	return fmt.Sprintf("s%d", 8*t.size)
}

// join is the type of what holds values of both.
func join(a, b typ) typ {
	switch {
	case a == typ{}:
		return stored(b)
	case b == typ{}:
		return stored(a)
	case a.text || b.text:
		return typ{text: true, size: max(a.size, b.size)}
	case a.duration || b.duration:
		return typ{duration: true, size: 8}
	case a.literal:
		return stored(b)
	case b.literal:
		return stored(a)
	}
	return typ{unsigned: a.wide() && b.wide(), size: 8}
}

// stored is the type of a number in a map or local.
func stored(t typ) typ {
	if !t.text && t.size > 0 {
		t.unsigned, t.size = t.wide(), 8
	}
	return t
}

// A place is what types are joined in.
type place struct {
	now, next typ // as the last round found it, as this one does so far; size 0: nothing is known
}

func (p *place) put(t typ) {
	p.next = join(p.next, t)
}

// types are the types of a script.
type types struct {
	values map[*plylang.Map]*place
	keys   map[*plylang.Map][]*place
	locals map[*plylang.Local]*place
	zero   bool // a place of which nothing is known holds 0
	signed bool // a place of literals is signed where it is read
}

// maxRoundsOfTypes is more than any script needs.
const maxRoundsOfTypes = 30

// inferTypes finds the types of a script.
func inferTypes(script *plylang.Script) *types {
	t := &types{values: map[*plylang.Map]*place{}, keys: map[*plylang.Map][]*place{}, locals: map[*plylang.Local]*place{}}
	for _, m := range script.Maps {
		t.values[m] = &place{}
		for range keysOf(m) {
			t.keys[m] = append(t.keys[m], &place{})
		}
	}
	for _, c := range script.Clauses {
		for _, l := range c.Locals {
			t.locals[l] = &place{}
		}
	}
	t.settle(script)
	t.zero = true
	t.settle(script)
	t.signed = true
	t.settle(script)
	return t
}

// keysOf returns how many keys a map has; clear() names it without.
func keysOf(m *plylang.Map) int {
	n := 0
	for _, use := range m.Uses {
		n = max(n, len(use.Keys))
	}
	return n
}

func (t *types) settle(script *plylang.Script) {
	for range maxRoundsOfTypes {
		if !t.round(script) {
			return
		}
	}
}

// round looks at all that is stored, and says whether that changed something.
func (t *types) round(script *plylang.Script) (changed bool) {
	for _, c := range script.Clauses {
		if c.Pred != nil {
			plylang.Walk(c.Pred, t.visit)
		}
		plylang.Walk(c.Body, t.visit)
	}
	for _, p := range t.places() {
		changed = changed || p.next != p.now
		p.now, p.next = p.next, typ{}
	}
	return changed
}

func (t *types) places() (all []*place) {
	for _, p := range t.values {
		all = append(all, p)
	}
	for _, keys := range t.keys {
		all = append(all, keys...)
	}
	for _, p := range t.locals {
		all = append(all, p)
	}
	return all
}

func (t *types) visit(n plylang.Node) bool {
	switch n := n.(type) {
	case *plylang.MapRef:
		for i, k := range n.Keys {
			t.keys[n.Map][i].put(t.of(k))
		}
	case *plylang.Assign:
		t.assign(n)
	}
	return true
}

func (t *types) assign(s *plylang.Assign) {
	ref, isMap := s.LHS.(*plylang.MapRef)
	switch {
	case isMap && ref.Map.Agg != nil:
		if args := s.X.(*plylang.Call).Args; len(args) > 0 {
			fed := t.of(args[0])
			fed.size = 8 // narrow unsigned numbers stay unsigned: a sum of them is a counter
			t.values[ref.Map].put(fed)
		}
	case isMap:
		t.values[ref.Map].put(t.result(s))
	default:
		t.locals[s.LHS.(*plylang.Name).Local].put(t.result(s))
	}
}

// result is the type of what an assignment stores. As long as nothing is known
// of what "x op= y" changes, it is like y.
func (t *types) result(s *plylang.Assign) typ {
	right := literalTyp
	if s.X != nil {
		right = t.of(s.X)
	}
	if s.Op == plylang.ASSIGN {
		return right
	}
	left := t.of(s.LHS)
	if left.size == 0 {
		return right
	}
	return t.operation(assignOps[s.Op], left, right)
}

// read is the type of a place where it is read.
func (t *types) read(p *place) typ {
	switch {
	case p.now.size == 0 && t.zero:
		return literalTyp
	case p.now.literal && t.signed:
		return signedTyp
	}
	return p.now
}

// final is the type of a place once all is known: of literals only it is
// signed, in an aggregation unsigned.
func (p *place) final(aggregation bool) typ {
	switch t := p.now; {
	case t.literal, t.size == 0:
		return typ{size: 8, unsigned: aggregation}
	default:
		return t
	}
}

// value is the type of what a map holds.
func (t *types) value(m *plylang.Map) typ { return t.values[m].final(m.Agg != nil) }

// local is the type of a local.
func (t *types) local(l *plylang.Local) typ { return t.locals[l].final(false) }

// typesOf finds the types of a script and compares them with the checker's;
// fault says where they differ. A few scripts compute a place from itself in
// such a way that the description allows two answers: then the checker's are
// taken when nothing contradicts them.
func typesOf(script *plylang.Script) (t *types, ambiguous bool, fault string) {
	t = inferTypes(script)
	if fault = t.compare(script); fault == "" {
		return t, false, ""
	}
	t.pair(script, func(p *place, c *plylang.Type, _ bool, _ string) { p.now = checkersTyp(c) })
	t.round(script)
	return t, true, t.compare(script)
}

// pair calls f for each place of a script with the type that the checker found.
func (t *types) pair(script *plylang.Script, f func(p *place, c *plylang.Type, aggregation bool, what string)) {
	for _, m := range script.Maps {
		if m.Agg == nil || m.Agg.Name != "count" {
			f(t.values[m], m.Value, m.Agg != nil, "the value of "+m.Name)
		}
		for i, c := range m.Keys {
			f(t.keys[m][i], c, false, fmt.Sprintf("key %d of %s", i+1, m.Name))
		}
	}
	for _, c := range script.Clauses {
		for _, l := range c.Locals {
			f(t.locals[l], l.Type, false, l.Name)
		}
	}
}

// compare says where the checker came to other types; "" if nowhere.
func (t *types) compare(script *plylang.Script) (fault string) {
	t.pair(script, func(p *place, c *plylang.Type, aggregation bool, what string) {
		if want, got := p.final(aggregation), checkersTyp(c); got != want && fault == "" {
			fault = fmt.Sprintf("%s is %v, for the checker %v", what, want, got)
		}
	})
	return fault
}

func checkersTyp(c *plylang.Type) typ {
	switch {
	case c.Display == plylang.DisplayProbe:
		return probeTyp
	case c.Kind == plylang.String:
		return typ{text: true, size: c.Size}
	}
	return typ{unsigned: !c.Signed, duration: c.Unit == plylang.Duration, size: c.Size}
}
