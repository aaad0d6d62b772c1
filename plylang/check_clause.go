package plylang

// gatherNames finds what is a map and what is a local in the whole script.
func (c *checker) gatherNames() {
	for _, p := range c.script.Probes {
		assignments(p.Body, func(a *Assign) {
			switch lhs := a.LHS.(type) {
			case *Name:
				noteFirst(c.assigned, lhs.Name, lhs.Pos)
			case *MapRef:
				noteFirst(c.stored, lhs.Name, lhs.Pos)
			}
		})
	}
	if len(c.script.syntax) > 0 {
		c.guessMaps()
	}
	for name, local := range c.assigned {
		switch m, both := c.stored[name]; {
		case both && m > local:
			c.errorf(m, "%s is a map here but a variable at %s: use two names, or write @%s for the map", name, c.where(local), name)
		case both:
			c.errorf(local, "%s is a variable here but a map at %s: use two names, or write @%s for the map", name, c.where(m), name)
		}
	}
}

// guessMaps takes for maps what has keys: the probe that stores in it may be
// one that is left out.
func (c *checker) guessMaps() {
	Inspect(c.script, func(x Expr) {
		m, ok := x.(*MapRef)
		if !ok || hasSigil(m.Name) || c.env.Lookup(m.Name) != nil {
			return
		}
		if _, local := c.assigned[m.Name]; !local {
			noteFirst(c.stored, m.Name, m.Pos)
		}
	})
}

func noteFirst(m map[string]Pos, name string, pos Pos) {
	if _, ok := m[name]; !ok {
		m[name] = pos
	}
}

// maxSize is how many nodes all clauses may have: a long list of probes with a
// long body has a copy of it for each.
const maxSize = 500_000

// makeClauses makes a clause for every group of sites. A probe none of whose
// specifications can be resolved is checked all the same, as far as it goes.
func (c *checker) makeClauses() {
	for _, p := range c.script.Probes {
		if !c.probeClauses(p) {
			return
		}
	}
}

// probeClauses makes the clauses of a probe, and says whether there is room for
// those of others.
func (c *checker) probeClauses(p *Probe) bool {
	size := nodeCount(p)
	uses := c.usesBySpelling(p)
	known, unknown, cut := false, false, false
	for _, choice := range p.Choices {
		t := c.choose(choice, uses)
		if c.size += size * len(t.scopes); c.size > maxSize {
			c.errorf(t.spec.Pos, "script is too long once each of its probes has its copy: shorten this one, or name fewer attach points")
			return false
		}
		cut = c.addClauses(p, t) || t.absent || cut
		known = known || len(t.scopes) > 0
		unknown = unknown || len(t.scopes) == 0 && !t.absent
	}
	if unknown && !known {
		c.addClause(p, p.Choices[0].Specs[0], unknownScope{}, false)
	}
	if cut {
		c.addAbsent(p)
	}
	return true
}

// addClauses makes a clause for each scope of what was taken, and says whether
// something of one is absent.
func (c *checker) addClauses(p *Probe, t taken) (cut bool) {
	made := len(c.clauses)
	for _, s := range t.scopes {
		cut = c.addClause(p, t.spec, s, true) || cut
	}
	if len(t.scopes) > 0 && len(c.clauses) == made {
		c.note(t.spec.Pos, "%s is absent: all that it does is for kernels that have what it asks for", t.spec)
	}
	return cut
}

// usesBySpelling returns what finds the uses of a probe for a specification, which
// may allow bare fields.
func (c *checker) usesBySpelling(p *Probe) func(*Spec) Uses {
	uses := map[bool]Uses{}
	return func(spec *Spec) Uses {
		bare := isTrace(spec)
		if _, ok := uses[bare]; !ok {
			uses[bare] = c.usesOf(p, bare)
		}
		return uses[bare]
	}
}

// scopesOf resolves a specification, as long as somebody reads what is wrong
// with it.
func (c *checker) scopesOf(spec *Spec, uses Uses) ([]Scope, error) {
	if c.errs.full() {
		c.errs.more = true
		return nil, nil
	}
	scopes, err := c.env.Scopes(spec, uses)
	if err == nil && len(scopes) == 0 {
		err = &Error{Src: c.script.Src, Pos: spec.Pos, Msg: spec.String() + " matches nothing", Missing: true}
	}
	return scopes, err
}

// nodeCount counts the nodes that a clause of p copies.
func nodeCount(p *Probe) int {
	n := 0
	for _, part := range probeChildren(&Probe{Pred: p.Pred, Body: p.Body}) {
		Walk(part, func(Node) bool { n++; return true })
	}
	return n
}

// addClause makes a clause, unless all of it is absent, and says whether something
// of it is.
func (c *checker) addClause(p *Probe, spec *Spec, scope Scope, known bool) (cut bool) {
	cl := c.newClause(p, spec, scope)
	cl.known = known
	d := decider{clause: cl}
	if !d.decide() {
		return true
	}
	cl.narrow()
	cl.begin()
	return d.cut
}

// narrow tells the scope what the clause uses of what its probe does, without what
// exists() asked for and cut out.
func (c *clause) narrow() {
	asks := false
	Inspect(c.Probe, func(x Expr) {
		_, ok := x.(*Exists)
		asks = asks || ok
	})
	if asks {
		left := &Probe{Pred: c.Pred, Body: c.Body}
		c.Scope = c.Scope.Narrowed(c.usesOf(left, isTrace(c.Spec)))
	}
}

// newClause copies what the probe does.
func (c *checker) newClause(p *Probe, spec *Spec, scope Scope) *clause {
	cl := &clause{
		checker: c,
		locals:  map[string]*localState{},
		Clause: &Clause{
			Probe: p,
			Spec:  spec,
			Scope: scope,
			Body:  cloneBlock(p.Body),
		},
	}
	if p.Pred != nil {
		cl.Pred = cloneExpr(p.Pred)
	}
	return cl
}

// begin enters the clause, whose names are resolved.
func (c *clause) begin() {
	c.clauses = append(c.clauses, c)
	c.findLocals()
	if c.Pred != nil {
		c.resolveOperand(&c.Pred)
	}
	c.resolveStmt(c.Body)
}

// unknownScope is the scope of a specification that has none.
type unknownScope struct{}

func (unknownScope) Lookup(string) *Func     { return nil }
func (unknownScope) Names() []string         { return nil }
func (unknownScope) Elsewhere(string) string { return "" }
func (s unknownScope) Narrowed(Uses) Scope   { return s }

// usesOf finds the names that a probe uses; bare ones may be fields.
func (c *checker) usesOf(p *Probe, bare bool) Uses {
	uses := Uses{Names: map[string]bool{}, Members: map[string]bool{}, Whole: map[string]bool{}, Asked: map[string]bool{}}
	parents := map[*Name]bool{} // those of a member
	feeds := feedsOf(p)
	note := func(name string) {
		uses.Names[name] = true
		if f := c.env.Lookup(name); f != nil {
			uses.Names[f.Name] = true
		}
	}
	Inspect(p, func(x Expr) {
		switch n := x.(type) {
		case *Name:
			note(n.Name)
			uses.Whole[n.Name] = uses.Whole[n.Name] || !parents[n]
			if bare {
				uses.Members[n.Name] = true
			}
		case *Call:
			note(n.Name)
			uses.Whole[n.Name] = true
			if bare && !feeds[n] {
				uses.Members[n.Name] = true
			}
		case *MapRef:
			if _, stored := c.stored[n.Name]; !stored && !hasSigil(n.Name) {
				note(n.Name)
			}
		case *Exists:
			if asked, ok := n.X.(*Name); ok {
				parents[asked], uses.Asked[asked.Name] = true, true
			}
		case *Unary:
			if name := addressedIn(n); name != "" {
				uses.Whole[name] = true
			}
		case *Member:
			if parent, ok := n.X.(*Name); ok {
				uses.Members[n.Name], parents[parent] = true, true
			}
		}
	})
	return uses
}

// feedsOf returns what a probe stores and what is a statement of its own, where a
// call may be an aggregation.
func feedsOf(p *Probe) map[Expr]bool {
	feeds := map[Expr]bool{}
	Walk(p, func(n Node) bool {
		switch n := n.(type) {
		case *Assign:
			feeds[n.X] = true
		case *ExprStmt:
			feeds[n.X] = true
		}
		return true
	})
	return feeds
}

// addressedIn returns x of &x->member, "" of anything else.
func addressedIn(n *Unary) string {
	if m, ok := n.X.(*Member); ok && n.Op == AND {
		if parent, ok := m.X.(*Name); ok {
			return parent.Name
		}
	}
	return ""
}

// isTrace says whether fields may be written bare, as ply had it in 2017.
func isTrace(spec *Spec) bool { return spec.Provider == "trace" }

func hasSigil(name string) bool {
	return name != "" && (name[0] == '@' || name[0] == '$')
}

// findLocals finds what the clause assigns to.
func (c *clause) findLocals() {
	plain := map[string]bool{}
	assignments(c.Body, func(a *Assign) {
		lhs, ok := a.LHS.(*Name)
		if !ok {
			return
		}
		plain[lhs.Name] = plain[lhs.Name] || a.Op == ASSIGN
		if c.locals[lhs.Name] == nil {
			c.addLocal(lhs)
		}
	})
	for _, l := range c.Locals {
		c.checkHiding(l, plain[l.Name])
	}
}

func (c *clause) addLocal(n *Name) {
	l := &Local{Name: n.Name, Pos: n.Pos}
	c.Locals = append(c.Locals, l)
	c.locals[n.Name] = &localState{Local: l, cell: c.newCell("%s", n.Name)}
}

// checkHiding looks at a local that has the name of a built-in variable.
func (c *clause) checkHiding(l *Local, plain bool) {
	f := c.lookup(l.Name)
	switch {
	case f == nil || f.Role != Variable:
	case plain:
		c.warnf(l.Pos, "%s is a built-in variable, which the variable assigned here hides in this probe: use another name", l.Name)
	default:
		c.errorf(l.Pos, "%s is a built-in variable and cannot be changed", l.Name)
	}
}

// lookup finds a built-in in the scope of the clause.
func (c *clause) lookup(name string) *Func {
	if f := c.Scope.Lookup(name); f != nil {
		return f
	}
	return c.env.Lookup(name)
}
