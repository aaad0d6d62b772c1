package plylang

// solve types all clauses, in rounds; see the head of check.go. Where nothing
// is learnt of a cell because it is computed from itself alone, it is taken
// to hold the zero that it begins with.
func (c *checker) solve() {
	errs, warnings := len(c.errs.list), len(c.warnings.list)
	settle := func() bool {
		for range maxRounds {
			c.errs.truncate(errs)
			c.warnings.truncate(warnings)
			if !c.round() {
				return true
			}
		}
		return false
	}
	settled := settle()
	if settled && len(c.errs.list) == 0 {
		c.assumeZero = true
		settled = settle()
	}
	if settled {
		c.literalSigned = true
		settle()
	}
}

// maxRounds is more than a script needs whose maps and locals depend on each
// other in chains that people can follow.
const maxRounds = 50

// round types all clauses once and says whether it learnt something.
func (c *checker) round() bool {
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
