package plylang

// A Token is the kind of a lexical element.
type Token uint8

// The tokens.
const (
	EOF Token = iota
	SPEC
	NAME
	MAPNAME // with a sigil, or "@" alone
	NUMBER
	STRING

	LPAREN
	RPAREN
	LBRACE
	RBRACE
	LBRACK
	RBRACK
	COMMA
	SEMICOLON
	DOT
	ARROW
	QUESTION
	COLON
	SLASH_END // the "/" that closes a predicate

	LOR
	LXOR
	LAND
	OR
	XOR
	AND
	EQ
	NE
	LT
	GT
	LE
	GE
	SHL
	SHR
	ADD
	SUB
	MUL
	DIV
	MOD
	NOT
	TILDE

	ASSIGN
	ADD_ASSIGN
	SUB_ASSIGN
	MUL_ASSIGN
	DIV_ASSIGN
	MOD_ASSIGN
	OR_ASSIGN
	AND_ASSIGN
	XOR_ASSIGN
	SHL_ASSIGN
	SHR_ASSIGN
	INC
	DEC

	IF
	ELSE
	RETURN
	DELETE
	NIL
	UNROLL
	BREAK
	CONTINUE

	bad // what a lexer error or a failed statement leaves
)

// tokenNames holds the spelling of each token that has one, and a description
// of the others.
var tokenNames = [...]string{
	EOF: "end of script", SPEC: "probe", NAME: "name", MAPNAME: "map", NUMBER: "number", STRING: "string",
	LPAREN: "(", RPAREN: ")", LBRACE: "{", RBRACE: "}", LBRACK: "[", RBRACK: "]",
	COMMA: ",", SEMICOLON: ";", DOT: ".", ARROW: "->", QUESTION: "?", COLON: ":", SLASH_END: "/",
	LOR: "||", LXOR: "^^", LAND: "&&", OR: "|", XOR: "^", AND: "&",
	EQ: "==", NE: "!=", LT: "<", GT: ">", LE: "<=", GE: ">=", SHL: "<<", SHR: ">>",
	ADD: "+", SUB: "-", MUL: "*", DIV: "/", MOD: "%", NOT: "!", TILDE: "~",
	ASSIGN: "=", ADD_ASSIGN: "+=", SUB_ASSIGN: "-=", MUL_ASSIGN: "*=", DIV_ASSIGN: "/=", MOD_ASSIGN: "%=",
	OR_ASSIGN: "|=", AND_ASSIGN: "&=", XOR_ASSIGN: "^=", SHL_ASSIGN: "<<=", SHR_ASSIGN: ">>=",
	INC: "++", DEC: "--",
	IF: "if", ELSE: "else", RETURN: "return", DELETE: "delete", NIL: "nil",
	UNROLL: "unroll", BREAK: "break", CONTINUE: "continue",
	bad: "error",
}

// String returns the token's spelling, or what it is when it has many.
func (t Token) String() string { return tokenNames[t] }

// precedence ranks the binary operators as C does, 0 for everything else. The
// conditional operator ranks below them, unary operators and casts above.
var precedence = [bad + 1]int{
	LOR: 1, LXOR: 2, LAND: 3, OR: 4, XOR: 5, AND: 6,
	EQ: 7, NE: 7, LT: 8, GT: 8, LE: 8, GE: 8,
	SHL: 9, SHR: 9, ADD: 10, SUB: 10, MUL: 11, DIV: 11, MOD: 11,
}

// The levels of expressions that are not binary.
const (
	condLevel    = 0
	binaryLevel  = 1
	inLevel      = 8 // that of <
	unaryLevel   = 12
	postfixLevel = 13
)

// operators maps the spelling of operators and punctuation to tokens.
var operators = spellings()

func spellings() map[string]Token {
	m := map[string]Token{}
	for t := LPAREN; t <= DEC; t++ {
		if t != SLASH_END {
			m[tokenNames[t]] = t
		}
	}
	return m
}

// isAssign says whether t stores its right side.
func (t Token) isAssign() bool { return t >= ASSIGN && t <= SHR_ASSIGN }
