package plylang

import "strings"

// baseTypes are the words C's own integer types are made of.
var baseTypes = map[string]bool{
	"char": true, "short": true, "int": true, "long": true, "signed": true, "unsigned": true, "void": true,
	"bool": true, "_Bool": true,
}

// otherTypes are the kernel's names of integers that IntegerNamed leaves to the
// kernel, with "__" before them or without.
var otherTypes = map[string]bool{"be16": true, "be32": true, "be64": true, "le16": true, "le32": true, "le64": true}

// isTypeWord says whether a single name in parentheses is a type whatever
// follows: "(u32)-x" is a cast, "(n)-x" a subtraction.
func isTypeWord(s string) bool {
	return baseTypes[s] || IntegerNamed(s) != nil || otherTypes[strings.TrimPrefix(s, "__")] || strings.HasSuffix(s, "_t")
}

// isSureType is isTypeWord for the types of casts.
func isSureType(to string) bool { return strings.Contains(to, " ") || isTypeWord(to) }

// castType reads ahead, after a "(", and returns the type if a cast begins
// there. A name that only a symbol table could know for a type is one if the
// parentheses would make no sense otherwise.
//
//	type = ( ( "struct" | "union" | "enum" ) NAME | NAME | base { base } ) { "*" } ")" ;
func (l *lexer) castType() (to string, ok bool) {
	defer l.look()()
	var words []string
	t, qualified := l.next(), false
	for ; t.kind == NAME && len(words) < 6; t = l.next() {
		if isQualifier(t.text) {
			qualified = true
		} else {
			words = append(words, t.text)
		}
	}
	stars := ""
	for ; t.kind == MUL && len(stars) < 5 || t.kind == NAME && isQualifier(t.text); t = l.next() {
		if t.kind == MUL {
			stars += "*"
		}
	}
	if !isTypeName(words) || t.kind != RPAREN {
		return "", false
	}
	to = strings.TrimRight(strings.Join(words, " ")+" "+stars, " ")
	return to, qualified || isSureType(to) || startsOperand(l.next())
}

// isQualifier says whether a word of C's types means nothing here.
func isQualifier(word string) bool { return word == "const" || word == "volatile" }

func isTypeName(words []string) bool {
	switch {
	case len(words) < 2:
		return len(words) == 1
	case words[0] == "struct" || words[0] == "union" || words[0] == "enum":
		return len(words) == 2
	}
	for _, w := range words {
		if !baseTypes[w] {
			return false
		}
	}
	return true
}

// startsOperand says whether t can only be the operand of a cast, after a
// name in parentheses.
func startsOperand(t token) bool {
	switch t.kind {
	case NAME:
		return t.text != "else" && t.text != "in"
	case MAPNAME, NUMBER, STRING, LPAREN, NOT, TILDE:
		return true
	}
	return false
}
