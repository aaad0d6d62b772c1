package property

import (
	"fmt"
	"strings"
)

// value writes an expression of a kind.
func (g *generator) value(k kind, depth int) string {
	switch k {
	case number:
		return g.number(depth)
	case natural:
		return g.natural(depth)
	case duration:
		return g.duration(depth)
	case text:
		return g.text(depth)
	default:
		panic(fmt.Sprintf("property: no kind %d", k))
	}
}

// constant writes a value that no variable is part of.
func (g *generator) constant(k kind) string {
	switch k {
	case natural:
		return "(u64)" + g.pick("0", "1", "0xffffffffffffffff")
	case duration:
		return g.pick(durations[1:]...)
	case text:
		return g.pick(g.strings...)
	}
	return g.pick(boundaries...)
}

// boundaries are where arithmetic goes wrong, in all spellings of numbers.
var boundaries = []string{
	"0", "1", "2", "3", "7", "10", "31", "32", "63", "64", "0x7f", "0x80", "0xff", "0b1_0000_0000", "077777",
	"32768", "65535", "64k", "2147483647", "2147483648", "0xffffffff", "4Gi", "1_000_000_007",
	"4611686018427387904", "9223372036854775807", "9223372036854775808", "0xffffffffffffffff", "18446744073709551614",
	"-1", "-2", "-7", "-128", "-129", "-32768", "-2147483648", "-2147483649", "-9223372036854775807", "-9223372036854775808",
}

var durations = []string{"0ns", "1ns", "7us", "10ms", "3s", "2m", "1h", "-5ms", "-1ns"}

// casts are the names of types with 1 to 8 bytes.
var casts = []string{
	"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "u64", "char", "unsigned char", "short", "unsigned short",
	"int", "unsigned int", "long", "unsigned long", "uint8_t", "int16_t", "size_t",
}

// variable returns a local or a table that holds one of the kinds, written
// with keys; "" when there is none. Keys are not nested without end.
func (g *generator) variable(kinds ...kind) string {
	var found []variable
	for _, v := range append(g.locals[:len(g.locals):len(g.locals)], g.tables...) {
		for _, k := range kinds {
			if v.kind == k && (len(v.keys) == 0 || g.inKey < 2) {
				found = append(found, v)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	return g.reference(found[g.Intn(len(found))])
}

func (g *generator) numberLeaf() string {
	if g.Intn(5) > 1 {
		if v := g.variable(number, natural); v != "" {
			return v
		}
	}
	if len(g.own) > 0 && g.Intn(3) == 0 {
		return g.pick(g.own...)
	}
	if g.Intn(12) == 0 {
		return g.pick("pid", "uid")
	}
	return g.pick(boundaries...)
}

// number writes a plain number of any type.
func (g *generator) number(depth int) string {
	if depth == 0 {
		return g.numberLeaf()
	}
	switch n := g.Intn(24); {
	case n < 5:
		return g.numberLeaf()
	case n < 12:
		return g.arithmetic(depth)
	case n < 14:
		return g.comparison(depth)
	case n < 16:
		return fmt.Sprintf("(%s %s %s)", g.condition(depth-1), g.pick("&&", "||", "^^"), g.condition(depth-1))
	case n < 18:
		return fmt.Sprintf("(%s)%s", g.pick(casts...), g.operand(depth-1))
	case n < 20:
		return fmt.Sprintf("(%s%s)", g.pick("-", "~", "!"), g.operand(depth-1))
	case n < 21:
		return fmt.Sprintf("(%s ? %s : %s)", g.condition(depth-1), g.number(depth-1), g.number(depth-1))
	case n < 22:
		return g.ofDurations(depth)
	}
	return g.call(depth)
}

// operand is a number that an operator may stand directly before.
func (g *generator) operand(depth int) string {
	if s := g.number(depth); s[0] != '-' {
		return s
	}
	return "(" + g.number(depth) + ")"
}

func (g *generator) arithmetic(depth int) string {
	op := g.pick("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "/", "%", ">>")
	a, b := g.number(depth-1), g.number(depth-1)
	return fmt.Sprintf("(%s %s %s)", a, op, g.right(op, b))
}

// right is x as the right operand of op. Where a constant could be an error it
// is one that is none.
func (g *generator) right(op, x string) string {
	if strings.ContainsAny(x, "@$v[") {
		return x
	}
	switch op {
	case "<<", ">>":
		return fmt.Sprint(g.Intn(64))
	case "/", "%":
		return g.pick("1", "2", "3", "-1", "-7", "1000", "0x80000000", "9223372036854775807", "18446744073709551615")
	}
	return x
}

func (g *generator) comparison(depth int) string {
	switch g.Intn(8) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", g.text(depth-1), g.pick("==", "!="), g.text(depth-1))
	case 2:
		return fmt.Sprintf("(%s in (%s, %s))", g.text(depth-1), g.pick(g.strings...), g.pick(g.strings...))
	case 3:
		return fmt.Sprintf("(%s in (%s))", g.number(depth-1), g.several())
	case 1:
		return fmt.Sprintf("(%s %s %s)", g.duration(depth-1), g.pick("<", ">", "<=", ">=", "==", "!="), g.duration(depth-1))
	}
	return fmt.Sprintf("(%s %s %s)", g.number(depth-1), g.pick("<", ">", "<=", ">=", "==", "!="), g.number(depth-1))
}

// several writes one to twenty constants.
func (g *generator) several() string {
	list := []string{g.pick(boundaries...)}
	for range g.Intn(20) {
		list = append(list, g.pick(boundaries...))
	}
	return strings.Join(list, ", ")
}

// ofDurations writes what drops the unit.
func (g *generator) ofDurations(depth int) string {
	d := g.duration(depth - 1)
	return g.pick(
		fmt.Sprintf("(%s / %s)", d, g.right("/", g.duration(depth-1))),
		fmt.Sprintf("(%s / %d)", d, 1+g.Intn(1000)),
		fmt.Sprintf("((%s + 0ns) * %d)", d, g.Intn(10)),
		fmt.Sprintf("(%s)%s", g.pick("s64", "u32", "u64"), "("+d+")"),
	)
}

func (g *generator) call(depth int) string {
	switch g.Intn(8) {
	case 0:
		return fmt.Sprintf("abs(%s)", g.number(depth-1))
	case 1:
		return fmt.Sprintf("log2(%s)", g.number(depth-1))
	case 2:
		return fmt.Sprintf("strlen(%s)", g.text(depth-1))
	case 3:
		return fmt.Sprintf("startswith(%s, %s)", g.text(depth-1), g.pick(g.strings...))
	case 4:
		return fmt.Sprintf("(strncmp(%s, %s, %d) %s 0)", g.text(depth-1), g.text(depth-1), g.Intn(20), g.pick("<", "==", ">"))
	case 5:
		return fmt.Sprintf("sizeof(%s)", g.pick("1", g.pick(g.strings...)))
	}
	return fmt.Sprintf("(strcmp(%s, %s) %s 0)", g.text(depth-1), g.text(depth-1), g.pick("<", "==", ">", "<=", "!="))
}

// natural writes an unsigned number of 64 bits.
func (g *generator) natural(depth int) string {
	if depth > 0 && g.Intn(2) == 0 {
		op := g.pick("+", "-", "*", "/", "%", "^")
		return fmt.Sprintf("(%s %s %s)", g.natural(depth-1), op, g.right(op, g.natural(0)))
	}
	if v := g.variable(natural); v != "" && g.Intn(2) == 0 {
		return v
	}
	return "(u64)" + g.operand(max(0, depth-1))
}

func (g *generator) duration(depth int) string {
	if v := g.variable(duration); v != "" && g.Intn(3) > 0 {
		return v
	}
	if depth <= 0 {
		return g.pick(durations...)
	}
	switch g.Intn(7) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.duration(depth-1), g.pick("+", "-"), g.duration(depth-1))
	case 2:
		return fmt.Sprintf("(-(%s))", g.duration(depth-1))
	case 3:
		return fmt.Sprintf("abs(%s)", g.duration(depth-1))
	case 4:
		return fmt.Sprintf("(%s ? %s : %s)", g.condition(depth-1), g.duration(depth-1), g.duration(depth-1))
	case 5:
		return fmt.Sprintf("(%s %% %s)", g.duration(depth-1), g.pick(durations[1:]...))
	}
	return g.pick(durations...)
}

func (g *generator) text(depth int) string {
	if v := g.variable(text); v != "" && g.Intn(2) == 0 {
		return v
	}
	if depth > 0 && g.Intn(5) == 0 {
		return fmt.Sprintf("(%s ? %s : %s)", g.condition(depth-1), g.text(depth-1), g.text(depth-1))
	}
	if g.Intn(12) == 0 {
		return "comm"
	}
	return g.pick(g.strings...)
}

// condition writes anything that can be true.
func (g *generator) condition(depth int) string {
	switch g.Intn(8) {
	case 0:
		return g.text(depth)
	case 1:
		return g.duration(depth)
	case 2, 3:
		if depth > 0 {
			return g.comparison(depth)
		}
	}
	return g.number(depth)
}

// literal writes a string whose length is at the edge of a word, often with
// the same beginning as others.
func (g *generator) literal() string {
	lengths := []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 64, 127, 200}
	n := lengths[g.Intn(len(lengths))]
	s := strings.Repeat("abcdefgh", 25)[:n]
	if n > 0 && g.Intn(3) == 0 {
		return `"` + s[:n-1] + g.pick("z", "A", `\xff`, `\x01`, `\n`, `\"`, "é") + `"`
	}
	return `"` + s + `"`
}
