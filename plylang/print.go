package plylang

import (
	"fmt"
	"strconv"
	"strings"
)

// A printer writes nodes in their canonical spelling: today's, on one line,
// with parentheses only where the tree would be another without them. Parsing
// the text gives an equal tree.
type printer struct{ strings.Builder }

func text(n Node) string {
	var p printer
	p.node(n)
	return p.String()
}

// Position returns the beginning of the text.
func (s *Script) Position() Pos { return 0 }

func (s *Script) String() string { return text(s) }
func (p *Probe) String() string  { return text(p) }
func (s *Spec) String() string   { return text(s) }

func (c *Choice) String() string {
	var p printer
	p.choice(c)
	return p.String()
}

func (s *Block) String() string     { return text(s) }
func (s *If) String() string        { return text(s) }
func (s *Unroll) String() string    { return text(s) }
func (s *Break) String() string     { return text(s) }
func (s *Continue) String() string  { return text(s) }
func (s *Return) String() string    { return text(s) }
func (s *Delete) String() string    { return text(s) }
func (s *Assign) String() string    { return text(s) }
func (s *ExprStmt) String() string  { return text(s) }
func (x *Number) String() string    { return text(x) }
func (x *StringLit) String() string { return text(x) }
func (x *Name) String() string      { return text(x) }
func (x *Call) String() string      { return text(x) }
func (x *MapRef) String() string    { return text(x) }
func (x *Unary) String() string     { return text(x) }
func (x *Binary) String() string    { return text(x) }
func (x *In) String() string        { return text(x) }
func (x *Cond) String() string      { return text(x) }
func (x *Cast) String() string      { return text(x) }
func (x *Member) String() string    { return text(x) }
func (x *Index) String() string     { return text(x) }
func (x *Exists) String() string    { return text(x) }
func (x *Tuple) String() string     { return text(x) }

func (p *printer) node(n Node) {
	switch n := n.(type) {
	case *Script:
		p.script(n)
	case *Probe:
		p.probe(n)
	case *Spec:
		p.spec(n)
	case Stmt:
		p.stmt(n)
	case Expr:
		p.expr(n, condLevel)
	default:
		panic(fmt.Sprintf("plylang: printing %T", n))
	}
}

func (p *printer) script(s *Script) {
	for i, probe := range s.Probes {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.probe(probe)
	}
}

func (p *printer) probe(n *Probe) {
	p.head(n)
	if !n.Default {
		p.WriteByte(' ')
		p.block(n.Body)
	}
}

// head writes what comes before a probe's body.
func (p *printer) head(n *Probe) {
	for i, choice := range n.Choices {
		if i > 0 {
			p.WriteString(", ")
		}
		p.choice(choice)
	}
	if n.Pred != nil {
		p.WriteString(" / ")
		p.expr(n.Pred, condLevel)
		p.WriteString(" /")
	}
}

func (p *printer) choice(c *Choice) {
	for i, spec := range c.Specs {
		if i > 0 {
			p.WriteString(" ? ")
		}
		p.spec(spec)
	}
	if c.Optional {
		p.WriteString(" ?")
	}
}

func (p *printer) spec(s *Spec) {
	p.WriteString(s.Provider)
	if s.Target != "" {
		p.WriteString(":" + s.Target)
	}
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Block:
		p.block(s)
	case *If:
		p.ifStmt(s)
	case *Unroll:
		p.unrollHead(s)
		p.block(s.Body)
	case *Break:
		p.WriteString("break")
	case *Continue:
		p.WriteString("continue")
	case *Return:
		p.WriteString("return")
	case *Delete:
		p.WriteString("delete ")
		p.mapRef(s.Map)
	case *Assign:
		p.assign(s)
	case *ExprStmt:
		p.exprStmt(s)
	default:
		panic(fmt.Sprintf("plylang: printing %T", s))
	}
}

func (p *printer) block(b *Block) {
	p.WriteString("{ ")
	for _, s := range b.Stmts {
		p.stmt(s)
		if isSimple(s) {
			p.WriteByte(';')
		}
		p.WriteByte(' ')
	}
	p.WriteByte('}')
}

func (p *printer) ifStmt(s *If) {
	p.ifHead(s)
	p.block(s.Then)
	if s.Else != nil {
		p.WriteString(" else ")
		p.stmt(s.Else)
	}
}

func (p *printer) ifHead(s *If) {
	p.WriteString("if (")
	p.expr(s.Cond, condLevel)
	p.WriteString(") ")
}

func (p *printer) unrollHead(s *Unroll) {
	p.WriteString("unroll (")
	p.number(s.Count)
	p.WriteString(") ")
}

func (p *printer) assign(s *Assign) {
	p.expr(s.LHS, postfixLevel)
	if s.X == nil {
		p.WriteString(s.Op.String())
		return
	}
	p.WriteString(" " + s.Op.String() + " ")
	p.expr(s.X, condLevel)
}

// exprStmt writes an expression; one that begins with a keyword needs
// parentheses to be none.
func (p *printer) exprStmt(s *ExprStmt) {
	if _, ok := keywordStmts[firstName(s.X)]; ok {
		p.WriteByte('(')
		defer p.WriteByte(')')
	}
	p.expr(s.X, condLevel)
}

// first returns the node that the text of x begins with, nil when that begins
// with a parenthesis.
func first(x Expr) Expr {
	for {
		var left Expr
		least := postfixLevel
		switch n := x.(type) {
		case *Cond:
			left, least = n.X, binaryLevel
		case *Binary:
			left, least = n.X, operandLevel(n.Op, n.X, precedence[n.Op])
		case *In:
			left, least = n.X, inLevel
		case *Member:
			left = n.X
		case *Index:
			left = n.X
		default:
			return x
		}
		if level(left) < least {
			return nil
		}
		x = left
	}
}

// firstName returns the name that the text of x begins with, if any.
func firstName(x Expr) string {
	switch n := first(x).(type) {
	case *MapRef:
		return n.Name
	case *Call:
		return n.Name
	case *Name:
		return n.Name
	}
	return ""
}

// level returns the rank of an expression's outermost operator.
func level(x Expr) int {
	switch x := x.(type) {
	case *Cond:
		return condLevel
	case *Binary:
		return precedence[x.Op]
	case *In:
		return inLevel
	case *Unary, *Cast:
		return unaryLevel
	case *Number:
		if x.Negative() {
			return unaryLevel
		}
	}
	return postfixLevel
}

// expr writes an expression where one of at least that level is allowed.
func (p *printer) expr(x Expr, least int) {
	if level(x) < least {
		p.WriteByte('(')
		defer p.WriteByte(')')
	}
	switch x := x.(type) {
	case *Number:
		p.number(x)
	case *StringLit:
		p.WriteString(quote(x.Value))
	case *Name:
		p.WriteString(x.Name)
	case *Call:
		p.WriteString(x.Name + "(")
		p.list(x.Args)
		p.WriteByte(')')
	case *MapRef:
		p.mapRef(x)
	case *Unary:
		p.unary(x)
	case *Binary:
		p.expr(x.X, operandLevel(x.Op, x.X, precedence[x.Op]))
		p.WriteString(" " + x.Op.String() + " ")
		p.expr(x.Y, operandLevel(x.Op, x.Y, precedence[x.Op]+1))
	case *In:
		p.in(x)
	case *Cond:
		p.cond(x)
	case *Cast:
		p.cast(x)
	case *Member:
		p.member(x)
	case *Index:
		p.index(x)
	case *Exists:
		p.exists(x)
	case *Tuple:
		p.brackets(x.Elems)
	default:
		panic(fmt.Sprintf("plylang: printing %T", x))
	}
}

// operandLevel is what an operand of op must have to need no parentheses, which is
// least but for a comparison: nobody remembers that it binds tighter than &.
func operandLevel(op Token, x Expr, least int) int {
	if b, ok := x.(*Binary); ok && bitwise[op] && opClasses[b.Op] == comparison {
		return unaryLevel
	}
	return least
}

// Negative says whether the literal was written with a minus, which makes it
// signed even where its bits look like a large number.
func (x *Number) Negative() bool { return strings.HasPrefix(x.Text, "-") }

func (p *printer) number(x *Number) {
	if x.Text != "" {
		p.WriteString(x.Text)
		return
	}
	p.WriteString(strconv.FormatUint(x.Value, 10))
	if x.Unit == Duration {
		p.WriteString("ns")
	}
}

func (p *printer) list(args []Expr) {
	for i, x := range args {
		if i > 0 {
			p.WriteString(", ")
		}
		p.expr(x, condLevel)
	}
}

func (p *printer) brackets(list []Expr) {
	p.WriteByte('[')
	p.list(list)
	p.WriteByte(']')
}

func (p *printer) mapRef(x *MapRef) {
	p.WriteString(x.Name)
	if len(x.Keys) > 0 {
		p.brackets(x.Keys)
	}
}
