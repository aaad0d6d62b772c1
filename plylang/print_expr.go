package plylang

import "strings"

// unary keeps a minus apart from another and from a number, which it would
// become part of.
func (p *printer) unary(x *Unary) {
	p.WriteString(x.Op.String())
	least := unaryLevel
	if x.Op == SUB {
		switch n := first(x.X).(type) {
		case *Number:
			least = postfixLevel + 1
		case *Unary:
			if n.Op == SUB {
				least = postfixLevel + 1
			}
		}
	}
	p.expr(x.X, least)
}

func (p *printer) in(x *In) {
	p.expr(x.X, inLevel)
	p.WriteString(" in ")
	if x.Pattern != nil {
		p.WriteString(quote(x.Pattern.Value))
		return
	}
	p.WriteByte('(')
	p.list(x.List)
	p.WriteByte(')')
}

func (p *printer) cond(x *Cond) {
	p.expr(x.X, binaryLevel)
	p.WriteString(" ? ")
	p.expr(x.Then, condLevel)
	p.WriteString(" : ")
	p.expr(x.Else, condLevel)
}

// cast writes parentheses around an operand that would make a type known to
// no one an operand itself: "(n)-x" is a subtraction.
func (p *printer) cast(x *Cast) {
	p.WriteString("(" + x.To + ")")
	least := unaryLevel
	if !isSureType(x.To) && continues(first(x.X)) {
		least = postfixLevel + 1
	}
	p.expr(x.X, least)
}

// continues says whether x, after a value, would go on with it.
func continues(x Expr) bool {
	switch x := x.(type) {
	case *Unary:
		return x.Op == SUB || x.Op == MUL
	case *Number:
		return x.Negative()
	case *Tuple:
		return true
	}
	return x != nil && (firstName(x) == "else" || firstName(x) == "in")
}

func (p *printer) member(x *Member) {
	p.expr(x.X, postfixLevel)
	if x.Arrow {
		p.WriteString("->")
	} else {
		p.WriteByte('.')
	}
	p.WriteString(x.Name)
}

// index keeps a name apart from the brackets: x[1] is a map, x()[1] and
// (@m)[1] are elements of a value.
func (p *printer) index(x *Index) {
	switch base := x.X.(type) {
	case *Name:
		p.WriteString(base.Name + "()")
	case *MapRef:
		least := postfixLevel
		if len(base.Keys) == 0 {
			least++
		}
		p.expr(base, least)
	default:
		p.expr(base, postfixLevel)
	}
	p.brackets([]Expr{x.I})
}

func (p *printer) exists(x *Exists) {
	p.WriteString("exists(")
	switch {
	case x.Spec != nil:
		p.spec(x.Spec)
	case x.X != nil:
		p.expr(x.X, postfixLevel)
	default:
		p.WriteString(strings.Join(append([]string{x.Of}, x.Path...), "."))
	}
	p.WriteByte(')')
}
