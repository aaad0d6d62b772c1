package plylang

// What compiles, runs, and is seldom meant.

// checkDoubts warns of it.
func (c *checker) checkDoubts() {
	for _, cl := range c.clauses {
		if cl.absent {
			continue
		}
		tested := cl.tested()
		cl.inspect(func(x Expr) {
			switch x := x.(type) {
			case *Binary:
				cl.checkStart(x, tested)
				cl.checkTurned(x)
			case *Call:
				cl.checkCall(x)
			}
			cl.checkNumbers(x)
		})
	}
	for _, m := range c.order {
		c.checkShared(m)
	}
}

// tested are the names of the maps and locals that the conditions of the clause
// look at, and of those that it stores in.
func (c *clause) tested() map[string]bool {
	names := map[string]bool{}
	note := func(x Expr) {
		Inspect(x, func(x Expr) {
			switch x := x.(type) {
			case *MapRef:
				names[x.Name] = true
			case *Name:
				names[x.Name] = true
			}
		})
	}
	if c.Pred != nil {
		note(c.Pred)
	}
	Walk(c.Body, func(n Node) bool {
		switch n := n.(type) {
		case *If:
			note(n.Cond)
		case *Cond:
			note(n.X)
		}
		return true
	})
	return names
}

// checkStart warns of the difference to a time that a table may not have.
func (c *clause) checkStart(x *Binary, tested map[string]bool) {
	if t := x.X.Type(); x.Op != SUB || t == nil || t.Unit != Timestamp {
		return
	}
	start := c.startOf(x.Y)
	if start == nil || len(start.Keys) == 0 || tested[start.Name] || c.storedBefore(start, x.Pos) {
		return
	}
	if n, ok := x.Y.(*Name); ok && tested[n.Name] {
		return
	}
	c.warnf(x.Pos, "%s may be missing, and this is then the time since boot: test it, as in if (%s) or the predicate / %s /", brief(start), brief(x.Y), brief(start))
}

// checkTurned warns of the first half of a port whose bytes are turned around by
// hand, as in x >> 8 | (x & 255) << 8, where they are in order.
func (c *clause) checkTurned(x *Binary) {
	by, ok := constant(x.Y)
	if t := x.X.Type(); x.Op == SHR && ok && by == 8 && t != nil && t.Net == 2 {
		c.warnf(x.Pos, "%s is in host order: its bytes need not be turned around", brief(x.X))
	}
}

// checkCall passes on what a built-in says of its arguments.
func (c *clause) checkCall(x *Call) {
	if x.Func == nil || x.Func.Doubt == nil || x.Type() == nil {
		return
	}
	if msg := x.Func.Doubt(x.Args); msg != "" {
		c.warnf(x.Pos, "%s", msg)
	}
}

// startOf is the use of a table of timestamps that x is, or that the local x is a
// copy of; nil: it is something else.
func (c *clause) startOf(x Expr) *MapRef {
	if n, ok := x.(*Name); ok && n.Local != nil {
		var from Expr
		assignments(c.Body, func(a *Assign) {
			if lhs, ok := a.LHS.(*Name); ok && lhs.Local == n.Local {
				from = a.X
			}
		})
		x = from
	}
	ref, ok := x.(*MapRef)
	if !ok || ref.Type() == nil || ref.Type().Unit != Timestamp {
		return nil
	}
	return ref
}

// storedBefore says whether the clause stores in the table before a position.
func (c *clause) storedBefore(ref *MapRef, pos Pos) bool {
	found := false
	assignments(c.Body, func(a *Assign) {
		lhs, ok := a.LHS.(*MapRef)
		found = found || ok && lhs.Name == ref.Name && a.Pos < pos
	})
	return found
}

// checkShared warns of a $x without a key that serves one probe as a variable:
// other CPUs store in it between the store and the read.
func (c *checker) checkShared(m *mapState) {
	if m.Name[0] != '$' || m.Agg != nil || len(m.keys) > 0 || !m.Stored {
		return
	}
	var probe *Probe
	stores := map[*MapRef]bool{}
	uses := 0
	for _, cl := range c.clauses {
		if cl.absent {
			continue
		}
		plain := true
		assignments(cl.Body, func(a *Assign) {
			if lhs, ok := a.LHS.(*MapRef); ok && lhs.Name == m.Name {
				stores[lhs] = true
				plain = plain && a.Op == ASSIGN
			}
		})
		mine := 0
		cl.inspect(func(x Expr) {
			if ref, ok := x.(*MapRef); ok && ref.Name == m.Name {
				mine++
			}
		})
		if uses += mine; mine == 0 {
			continue
		}
		if !plain || probe != nil && probe != cl.Probe || runsOnce(cl.Spec) {
			return
		}
		probe = cl.Probe
	}
	if uses > len(stores) {
		c.warnf(m.Pos, "%s is one cell for all CPUs, and another one may store in it before it is read here: write %s, which belongs to this firing alone", m.Name, m.Name[1:])
	}
}

// runsOnce says whether a probe cannot run on two CPUs at a time.
func runsOnce(s *Spec) bool {
	return s.Provider == "BEGIN" || s.Provider == "END" || s.Provider == "interval"
}
