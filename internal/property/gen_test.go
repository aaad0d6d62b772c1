// Package property makes scripts at random and computes what they must leave in
// their maps, from the language's description alone. It runs them in a kernel:
// what the compiler accepts the verifier must accept, and both must come to the
// same result.
package property

import (
	"fmt"
	"math/rand"
	"strings"
)

// A kind is what a variable of a random script holds. Values of different
// kinds do not mix.
type kind uint8

const (
	number   kind = iota // plain, any sign
	natural              // plain, unsigned 64 bits only
	duration             // nanoseconds
	text
)

// A variable is a local or a map, with the kinds of its keys.
type variable struct {
	name string
	kind kind
	keys []kind

	agg  string // name of the aggregation that feeds a map; "" is a table
	rest string // the aggregation's constant arguments: ", 0, 10, 2"
}

// A generator writes one script.
type generator struct {
	*rand.Rand
	strings []string // literals, few so that some are equal
	locals  []variable
	tables  []variable
	aggs    []variable
	prints  int      // how many printf there are
	own     []string // numbers that only the clause's probe has
	traced  bool     // the script is more than BEGIN
	inKey   int      // how many keys the expression is in
	loops   int      // how many unrolls the statement is in
	rounds  int      // how often all of them together repeat it
	shapes  int      // how many shapes there are
}

// maxRounds bounds how often a statement is repeated, so that scripts fit
// into the longest program.
const maxRounds = 12

// randomScript returns a random script made of BEGIN clauses. The same seed gives
// the same script. A few are not well typed.
func randomScript(seed int64) string {
	g := &generator{Rand: rand.New(rand.NewSource(seed)), rounds: 1}
	g.declare()
	var b strings.Builder
	for range 1 + g.Intn(2) {
		b.WriteString(g.clause())
	}
	return b.String() + "BEGIN" + g.lastBody(seed)
}

// lastBody stores something in all maps, because what is read must be stored
// somewhere. In every fourth script it clears some of them before: once each,
// because that is what is possible whoever runs it.
func (g *generator) lastBody(seed int64) string {
	g.locals = nil
	s := " {\n"
	for i, m := range append(g.tables[:len(g.tables):len(g.tables)], g.aggs...) {
		if seed%4 == 3 && seed>>(2+i)&1 != 0 {
			s += "clear(" + m.name + ");\n"
		}
	}
	s += g.store(g.tables)
	for _, a := range g.aggs {
		s += g.feed(a) + ";\n"
	}
	return s + "}\n"
}

// store assigns constants to variables.
func (g *generator) store(all []variable) string {
	var b strings.Builder
	for _, v := range all {
		fmt.Fprintf(&b, "%s = %s;\n", g.reference(v), g.constant(v.kind))
	}
	return b.String()
}

// declare chooses the strings and maps of the script.
func (g *generator) declare() {
	for range 4 {
		g.strings = append(g.strings, g.literal())
	}
	for i := range 1 + g.Intn(4) {
		keys := g.keyKinds()
		g.tables = append(g.tables, variable{name: g.mapName("t", i, keys), kind: g.anyKind(), keys: keys})
	}
	for i := range g.Intn(4) {
		keys := g.keyKinds()
		a := variable{name: g.mapName("a", i, keys), kind: kind(g.Intn(int(text))), keys: keys}
		a.agg, a.rest = g.aggregation()
		g.aggs = append(g.aggs, a)
	}
}

// mapName makes a name; only a map with keys can do without a sigil.
func (g *generator) mapName(letter string, i int, keys []kind) string {
	sigil := g.pick("@", "@", "$", "")
	if len(keys) == 0 && sigil == "" {
		sigil = "@"
	}
	return fmt.Sprintf("%s%s%d", sigil, letter, i)
}

func (g *generator) anyKind() kind { return kind(g.Intn(int(text) + 1)) }

func (g *generator) keyKinds() []kind {
	keys := make([]kind, max(0, g.Intn(5)-1))
	for i := range keys {
		keys[i] = []kind{number, natural, text}[g.Intn(3)]
	}
	return keys
}

// aggregation chooses an aggregation and its constant arguments.
func (g *generator) aggregation() (name, rest string) {
	name = g.pick("count", "sum", "min", "max", "avg", "quantize", "lquantize", "llquantize")
	switch name {
	case "quantize":
		if g.Intn(2) == 0 {
			rest = g.pick(", 0", ", 1", ", 2", ", 3", ", 4", ", 1 + 2", ", (u8)257", ", 5 / 3")
		}
	case "lquantize":
		rest = g.pick(", 0, 10, 1", ", -7, 9, 3", ", -100, 1000, 64", ", 1, 2, 5", ", -(3 + 4), 1 << 6, 7 % 4",
			", -9223372036854775808, 9223372036854775807, 1152921504606846976")
	case "llquantize":
		rest = g.pick(", 10, 0, 2, 10", ", 2, 0, 61, 2", ", 10, 1, 3, 20", ", 3, 0, 4, 3", ", 16, 0, 3, 32", ", 5 * 2, 0, !0, 20")
	}
	return name, rest
}

// clause writes one BEGIN clause with locals of its own.
func (g *generator) clause() string {
	g.newLocals()
	pred := ""
	if g.Intn(4) == 0 {
		pred = " / " + g.condition(2) + " /"
	}
	return "BEGIN" + pred + g.body()
}

func (g *generator) newLocals() {
	g.locals = nil
	for i := range g.Intn(4) {
		g.locals = append(g.locals, variable{name: fmt.Sprintf("v%d", i), kind: g.anyKind()})
	}
}

// bodyDepth is how deep the statements of a body may be nested, and maxShapes how
// many shapes a script has.
const (
	bodyDepth = 3
	maxShapes = 4
)

// body writes the body of a clause.
func (g *generator) body() string {
	stores, body := g.store(g.locals), g.statements(bodyDepth)
	if g.Intn(2) == 0 {
		stores, body = body, stores // they are zero until the end
	}
	return " {\n" + stores + body + "}\n"
}

func (g *generator) block(depth int) string { return "{\n" + g.statements(depth) + "}" }

func (g *generator) statements(depth int) string {
	var b strings.Builder
	for range 1 + g.Intn(1+depth) {
		b.WriteString(g.statement(depth) + ";\n")
	}
	return b.String()
}

func (g *generator) statement(depth int) string {
	if depth == bodyDepth && g.shapes < maxShapes && g.Intn(8) == 0 {
		return g.shape()
	}
	if depth > 1 && g.Intn(4) == 0 {
		return g.nested(depth)
	}
	switch n := g.Intn(20); {
	case n < 6 && len(g.aggs) > 0:
		return g.feed(g.aggs[g.Intn(len(g.aggs))])
	case n < 9 && len(g.locals) > 0:
		return g.assign(g.locals[g.Intn(len(g.locals))])
	case n < 10:
		return g.forget(g.reference(g.anyMap()))
	case n < 11:
		return "if (" + g.condition(2) + ") " + g.leave()
	case n < 12 && g.prints < maxPrints:
		return g.printf()
	}
	return g.assign(g.tables[g.Intn(len(g.tables))])
}

// leave ends the round, the loop, the clause or the script.
func (g *generator) leave() string {
	if g.loops > 0 && g.Intn(4) > 0 {
		return g.pick("break", "continue")
	}
	if g.traced { // when exit() ends the run is another matter
		return "return"
	}
	return g.pick("return", "return", "return", fmt.Sprintf("exit(%d)", g.Intn(3)))
}

func (g *generator) forget(ref string) string { return g.pick("delete "+ref, ref+" = nil") }

func (g *generator) anyMap() variable {
	all := append(g.tables[:len(g.tables):len(g.tables)], g.aggs...)
	return all[g.Intn(len(all))]
}

// nested writes a statement with a block.
func (g *generator) nested(depth int) string {
	rounds := 1 + g.Intn(5)
	if g.Intn(3) > 0 || g.rounds*rounds > maxRounds {
		return g.branch(depth)
	}
	g.loops++
	g.rounds *= rounds
	body := g.block(depth - 1)
	g.loops--
	g.rounds /= rounds
	return fmt.Sprintf("unroll (%d) %s", rounds, body)
}

func (g *generator) branch(depth int) string {
	s := "if (" + g.condition(2) + ") " + g.block(depth-1)
	switch g.Intn(4) {
	case 0:
		s += " else " + g.block(depth-1)
	case 1:
		s += " else if (" + g.condition(2) + ") " + g.block(depth-1)
	}
	return s
}

// feed writes an update of an aggregation.
func (g *generator) feed(a variable) string {
	args := a.rest
	if a.agg != "count" {
		args = g.value(a.kind, 2) + a.rest
	}
	if g.Intn(5) == 0 {
		return fmt.Sprintf("%s.%s(%s)", g.reference(a), a.agg, args)
	}
	return fmt.Sprintf("%s = %s(%s)", g.reference(a), a.agg, args)
}

// compoundOps are the assignments by kind.
var compoundOps = map[kind][]string{
	number:   {"=", "=", "=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<=", ">>="},
	natural:  {"=", "=", "=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<=", ">>="},
	duration: {"=", "=", "+=", "-="},
	text:     {"="},
}

func (g *generator) assign(v variable) string {
	to := g.reference(v)
	if v.kind < duration && g.Intn(6) == 0 {
		return to + g.pick("++", "--")
	}
	op := g.pick(compoundOps[v.kind]...)
	x := g.value(v.kind, 1+g.Intn(3))
	return fmt.Sprintf("%s %s %s", to, op, g.right(strings.TrimSuffix(op, "="), x))
}

// reference writes a variable with keys.
func (g *generator) reference(v variable) string {
	if len(v.keys) == 0 {
		return v.name
	}
	keys := make([]string, len(v.keys))
	g.inKey++
	for i, k := range v.keys {
		keys[i] = g.key(k)
	}
	g.inKey--
	return v.name + "[" + strings.Join(keys, ", ") + "]"
}

// key writes one part of a key, of few values so that keys meet again.
func (g *generator) key(k kind) string {
	switch {
	case k == text:
		return g.text(1)
	case g.Intn(3) == 0:
		return g.value(k, 1)
	case k == natural:
		return fmt.Sprintf("(u64)%d", g.Intn(3))
	}
	return fmt.Sprint(g.Intn(4) - 1)
}

func (g *generator) pick(from ...string) string { return from[g.Intn(len(from))] }
