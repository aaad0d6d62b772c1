package plylang

// A Node is a piece of the tree. String prints it in the canonical spelling.
type Node interface {
	Position() Pos
	String() string
}

// Position returns p itself; it makes everything that embeds a Pos a Node.
func (p Pos) Position() Pos { return p }

// A Script is a parsed program.
type Script struct {
	Src      *Source
	Probes   []*Probe
	Comments []Comment // in order, for the formatter

	syntax ErrorList // what Parse found in the probes that are left out

	// What Check adds.
	Clauses  []*Clause // what to compile, in source order
	Maps     []*Map    // in order of first appearance
	Absent   []*Map    // maps that only what is absent on this kernel uses, in the same order
	Warnings ErrorList
	Notes    ErrorList // what is absent on this kernel, as the script allows
}

// A Comment is a comment with its marks.
type Comment struct {
	Pos
	Text string
}

// A Probe is where a body runs, an optional predicate and the body, as written.
type Probe struct {
	Pos
	Choices []*Choice // at least one
	Pred    Expr      // nil when there is none
	Body    *Block    // never nil after Parse: a default clause has its meaning spelled out
	Default bool      // the source had no body
}

// A Choice is "SPEC ? SPEC ?": of its specifications the first that the kernel has
// is taken.
type Choice struct {
	Specs []*Spec // at least one

	// Optional says that it ends with "?": without any of them the probe runs nowhere.
	Optional bool
}

// Specs returns all specifications of the probe, in order.
func (p *Probe) Specs() []*Spec {
	var all []*Spec
	for _, c := range p.Choices {
		all = append(all, c.Specs...)
	}
	return all
}

// A Spec is one probe specification: Provider as written before the first
// colon, Target what follows. BEGIN and END have an empty Target.
type Spec struct {
	Pos
	Provider string
	Target   string
}

// A Clause is a probe as one group of sites sees it: a copy of the probe's
// predicate and body, typed for that scope. Check makes them; bpfgen compiles
// them.
type Clause struct {
	Probe  *Probe
	Spec   *Spec
	Scope  Scope
	Pred   Expr
	Body   *Block
	Locals []*Local // in order of first appearance
}

// A Local is a variable of one probe firing.
type Local struct {
	Name string
	Type *Type
	Pos  Pos // first use
}

// A Map is a map of the script, with what Check learnt of its uses.
type Map struct {
	Name string // with its sigil: "@size", "$rx", "rx"; "@" alone
	Pos  Pos    // first appearance
	Keys []*Type
	Uses []*MapRef // every use, in source order

	// Agg is the aggregation that feeds the map, nil for a table. Args are the
	// arguments of its first use; those declared constant are the same in all.
	Agg  *Func
	Args []Expr

	// Value is the type of what is stored: of a table's values, or of the
	// aggregation's first argument (nil for count).
	Value *Type

	Stored bool // some clause assigns to it or aggregates into it; false: only what is absent does
}

// Statements.
type (
	// A Stmt is a statement.
	Stmt interface {
		Node
		stmt()
	}

	// Block is { Stmts }. End is where its "}" is; a block that the source
	// wrote without braces ends after its statement.
	Block struct {
		Pos
		Stmts []Stmt
		End   Pos
	}

	// If is if (Cond) Then else Else; Else is nil, *Block or *If.
	If struct {
		Pos
		Cond Expr
		Then *Block
		Else Stmt
	}

	// Unroll repeats its body Count times at compile time.
	Unroll struct {
		Pos
		Count *Number
		Body  *Block
	}

	// Break leaves the innermost unroll.
	Break struct{ Pos }

	// Continue goes to the next round of the innermost unroll.
	Continue struct{ Pos }

	// Return ends this firing of the probe's clause.
	Return struct{ Pos }

	// Delete forgets a key, or the cell of a keyless map. "= nil" is this too.
	Delete struct {
		Pos
		Map *MapRef
	}

	// Assign stores into a map or a local. An aggregation is an Assign with
	// Op ASSIGN whose X is a Call of an aggregation; "@m.count()" is this too.
	// Op is ASSIGN, ADD_ASSIGN … SHR_ASSIGN, or INC and DEC, whose X is nil.
	Assign struct {
		Pos
		LHS    Expr // *MapRef or *Name
		Op     Token
		X      Expr
		Method bool // written "@m.count()"
	}

	// ExprStmt is an expression for its effect: print(), exit() and their kin.
	ExprStmt struct {
		Pos
		X Expr
	}
)

func (*Block) stmt()    {}
func (*If) stmt()       {}
func (*Unroll) stmt()   {}
func (*Break) stmt()    {}
func (*Continue) stmt() {}
func (*Return) stmt()   {}
func (*Delete) stmt()   {}
func (*Assign) stmt()   {}
func (*ExprStmt) stmt() {}

// Expressions. Each embeds Typed: its type, nil until Check knows it.
type (
	// An Expr is an expression.
	Expr interface {
		Node
		Type() *Type
		SetType(*Type)

		constant() (value uint64, ok bool)
		setConstant(value uint64, ok bool)
	}

	// Number is a literal. Value holds its 64 bits; Unit is Duration for
	// literals with a time suffix. Text is how it was written.
	Number struct {
		Pos
		Typed
		Value uint64
		Unit  Unit
		Text  string
	}

	// StringLit is a string literal; Value is without quotes and escapes.
	StringLit struct {
		Pos
		Typed
		Value string
	}

	// Name is a variable: a local, or a built-in without arguments. "comm()"
	// is parsed as this too, and so is "arg(2)", as arg2.
	Name struct {
		Pos
		Typed
		Name  string
		Local *Local // after Check: one of Local and Func is set
		Func  *Func

		pending    bool        // it can be a constant only
		enumerator *Enumerator // the constant that it is; nil: none
	}

	// Call is a function with arguments; count() and exit() may have none.
	Call struct {
		Pos
		Typed
		Name string
		Args []Expr
		Func *Func // after Check
	}

	// MapRef is a map, or its value at a key.
	MapRef struct {
		Pos
		Typed
		Name string // with its sigil
		Keys []Expr
		Map  *Map // after Check
	}

	// Unary is Op X: SUB, NOT, TILDE, or MUL for *p. Check adds AND, the
	// address of the array X, where an array is computed with.
	Unary struct {
		Pos
		Typed
		Op Token
		X  Expr
	}

	// Binary is X Op Y. Pos is the operator's, for messages.
	Binary struct {
		Pos
		Typed
		Op   Token
		X, Y Expr
	}

	// In is X in (List), or X in "Pattern", whose List is nil. The constants of
	// a list are literals after Check, or have a constant value. Pos is that of
	// the word "in".
	In struct {
		Pos
		Typed
		X       Expr
		List    []Expr
		Pattern *StringLit
	}

	// Cond is X ? Then : Else.
	Cond struct {
		Pos
		Typed
		X, Then, Else Expr
	}

	// Cast is (To)X, To a C type's name as written.
	Cast struct {
		Pos
		Typed
		To string
		X  Expr
	}

	// Member is X.Name or X->Name. Field is set by Check.
	Member struct {
		Pos
		Typed
		X     Expr
		Name  string
		Arrow bool
		Field Field
	}

	// Index is X[I].
	Index struct {
		Pos
		Typed
		X, I Expr
	}

	// Exists is exists(Spec), exists(Of.Path), the type's name with its keyword, or
	// exists(X), a variable or its member. Check replaces it by what is so.
	Exists struct {
		Pos
		Typed
		Spec *Spec
		Of   string
		Path []string
		X    Expr
	}

	// Tuple is [a, b] where one value is wanted, which is an error.
	Tuple struct {
		Pos
		Typed
		Elems []Expr
	}
)

// Typed is the type of an expression, and its value where that is the same
// always.
type Typed struct {
	T     *Type
	value uint64
	fixed bool
}

// Type returns the expression's type, nil when it is not known (yet).
func (t *Typed) Type() *Type { return t.T }

// SetType sets the expression's type.
func (t *Typed) SetType(typ *Type) { t.T = typ }

// constant returns the value that Check found to be the same always.
func (t *Typed) constant() (value uint64, ok bool) { return t.value, t.fixed }

func (t *Typed) setConstant(value uint64, ok bool) { t.value, t.fixed = value, ok }
