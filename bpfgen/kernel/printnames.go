package kernel

import (
	"slices"
	"strings"

	"ply-exporter/plylang"
)

// Names in a "print fmt"
//
//	REC->vec, __print_symbolic(REC->vec, { 0, "HI" }, { 1, "TIMER" })
//	REC->flags ? __print_flags(REC->flags, "|", { 0x1, "A" }, { 0x2, "B" }) : "none"
//
// A table names a field's values where its operand is the field. Behind a mask
// (REC->flags & 0xff) it names what lies within the mask: a value with other bits
// is a number in a table of values, and has them in hexadecimal digits in one of
// flags. An operand that is something else of the field, shifted or cut, names
// other numbers than the field's, and gives no names. Neither does a table that is
// used or not as another field says, nor do two tables of one field that differ.

// Names are the names of a field's values, nil where the format has none.
// Constants that the kernel left as their names have the value that enumerator
// knows, and otherwise no name.
func (f *Format) Names(field string, enumerator func(string) (int64, bool)) *plylang.Enumeration {
	if !strings.Contains(f.print, "__print_") || !strings.Contains(f.print, "REC->"+field) {
		return nil
	}
	_, args := cutPrint(f.print)
	var found *plylang.Enumeration
	for _, arg := range args {
		for _, t := range tablesIn(cTokens(arg), field, enumerator) {
			switch {
			case t == nil || found != nil && !found.Equal(t):
				return nil
			}
			found = t
		}
	}
	if found == nil || len(found.Values) == 0 {
		return nil
	}
	found.Field, found.Where = field, f.Name
	return found
}

// tablesIn returns the tables of a field in an argument of printf; nil stands for
// one that does not name the field's values always.
func tablesIn(tokens []string, field string, enumerator func(string) (int64, bool)) []*plylang.Enumeration {
	var tables []*plylang.Enumeration
	for i, t := range tokens {
		flags := strings.HasPrefix(t, "__print_flags")
		if !flags && !strings.HasPrefix(t, "__print_symbolic") {
			continue
		}
		call, rest := cutCall(tokens[i+1:])
		if len(call) < 2 || !mentions(call[0], field) {
			continue
		}
		mask, ok := operandMask(call[0], field)
		if !ok || !onlyMentions(tokens[:i], field) {
			tables = append(tables, nil)
			continue
		}
		table := &plylang.Enumeration{Flags: flags}
		for _, entry := range call[1:] {
			addEntry(table, entry, mask, enumerator)
		}
		addZero(table, tokens[:i], call[0], rest)
		tables = append(tables, table)
	}
	return tables
}

// cutCall returns the arguments of a call, and what is behind it.
func cutCall(tokens []string) (args [][]string, rest []string) {
	depth, start := 0, 1
	for i, t := range tokens {
		switch t {
		case "(", "{":
			depth++
		case ")", "}":
			depth--
		}
		if depth == 0 || depth == 1 && t == "," {
			args = append(args, tokens[min(start, i):i])
			start = i + 1
		}
		if depth == 0 {
			return args, tokens[i+1:]
		}
	}
	return nil, nil
}

// mentions says whether tokens are about a field.
func mentions(tokens []string, field string) bool {
	for i := 2; i < len(tokens); i++ {
		if tokens[i] == field && tokens[i-1] == "->" && tokens[i-2] == "REC" {
			return true
		}
	}
	return false
}

// onlyMentions says whether tokens are about no other field.
func onlyMentions(tokens []string, field string) bool {
	for i := 2; i < len(tokens); i++ {
		if tokens[i-1] == "->" && tokens[i-2] == "REC" && tokens[i] != field {
			return false
		}
	}
	return true
}

// operandMask returns the bits of a field that an operand has: all for REC->field;
// ok is false when it is something else.
func operandMask(tokens []string, field string) (mask int64, ok bool) {
	tokens = withoutCast(unwrapped(tokens))
	if slices.Equal(tokens, []string{"REC", "->", field}) {
		return -1, true
	}
	and := 3
	if len(tokens) <= and+1 || tokens[and] != "&" || !slices.Equal(tokens[:and], []string{"REC", "->", field}) {
		return 0, false
	}
	return cValue(tokens[and+1:], nil)
}

// unwrapped is an expression without the parentheses around all of it.
func unwrapped(tokens []string) []string {
	for len(tokens) > 2 && tokens[0] == "(" {
		if _, rest := cutCall(tokens); len(rest) > 0 {
			break
		}
		tokens = tokens[1 : len(tokens)-1]
	}
	return tokens
}

// withoutCast is an expression without a cast that changes nothing.
func withoutCast(tokens []string) []string {
	r := cReader{tokens: tokens}
	if len(tokens) == 0 || tokens[0] != "(" {
		return tokens
	}
	name, ok := r.cast()
	if known := integers[name]; !ok || known.size < 8 {
		return tokens
	}
	return unwrapped(r.tokens)
}

// addEntry adds { value, "name" } to a table, if that can be a value behind the
// mask. What is no entry is the text between flags.
func addEntry(table *plylang.Enumeration, tokens []string, mask int64, enumerator func(string) (int64, bool)) {
	n := len(tokens)
	if n < 5 || tokens[0] != "{" || tokens[n-1] != "}" || tokens[n-3] != "," || !isText(tokens[n-2]) {
		return
	}
	value, ok := cValue(tokens[1:n-3], enumerator)
	if !ok || value&^mask != 0 {
		return
	}
	table.Values = append(table.Values, plylang.Enumerator{Name: textOf(tokens[n-2]), Value: value})
}

// addZero adds the name of 0 in "operand ? table : name".
func addZero(table *plylang.Enumeration, before, operand, after []string) {
	if len(before) == 0 || before[len(before)-1] != "?" || len(after) != 2 || after[0] != ":" || !isText(after[1]) {
		return
	}
	name := textOf(after[1])
	if slices.Equal(unwrapped(before[:len(before)-1]), unwrapped(operand)) && name != "" {
		table.Values = append(table.Values, plylang.Enumerator{Name: name})
	}
}

func isText(token string) bool { return len(token) >= 2 && token[0] == '"' }

// textOf is the text of a literal.
func textOf(literal string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(literal[1 : len(literal)-1])
}
