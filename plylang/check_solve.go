package plylang

// solve types all clauses, in rounds; see the head of check.go.
func (c *checker) solve() {
	errs, warnings := len(c.errs), len(c.warnings)
	round := func() bool {
		c.errs, c.warnings = c.errs[:errs], c.warnings[:warnings]
		return c.round()
	}
	c.settle(round)
	if len(c.errs) == 0 {
		c.assumeZero = true
		c.settle(round)
	}
	c.literalSigned = true
	c.settle(round)
}

// settle goes on until a round changes nothing.
func (c *checker) settle(round func() bool) {
	const enough = 200
	for range min(len(c.cells)+8, enough) {
		if !round() {
			return
		}
	}
}

// round types all clauses once and says whether it learnt something.
func (c *checker) round() bool {
	c.consts = map[Expr]uint64{}
	for _, v := range c.cells {
		v.next = nil
	}
	for _, cl := range c.clauses {
		if cl.Pred != nil {
			cl.condition(cl.Pred, "predicate")
		}
		cl.stmt(cl.Body)
	}
	c.unsettled = nil
	for _, v := range c.cells {
		if !same(v.now, v.next) {
			c.unsettled = append(c.unsettled, v)
		}
		v.now = v.next
	}
	return len(c.unsettled) > 0
}

// reportUnsettled reports what has no type: it is computed from itself in a
// way that makes something else of it each time. What depends on it has none
// either.
func (c *checker) reportUnsettled() {
	if len(c.unsettled) == 0 {
		return
	}
	first := c.unsettled[0]
	for _, v := range c.unsettled {
		if v.pos < first.pos {
			first = v
		}
	}
	c.errorf(first.pos, "%s is computed from itself here, and its unit changes each time: use two names", first.name)
}
