package plylang

// maxUnroll is how often a loop can be unrolled: more than this is more than
// the kernel lets a program be long, for all but trivial bodies.
const maxUnroll = 64

// checkFlow checks what does not depend on types: loops, and what cannot be
// reached.
func (c *checker) checkFlow() {
	for _, cl := range c.clauses {
		cl.flow(cl.Body, false)
	}
}

// flow checks a statement and says whether what follows it is never reached.
func (c *clause) flow(s Stmt, inLoop bool) (leaves bool) {
	switch s := s.(type) {
	case *Block:
		return c.flowBlock(s, inLoop)
	case *If:
		leaves = c.flow(s.Then, inLoop)
		return s.Else != nil && c.flow(s.Else, inLoop) && leaves
	case *Unroll:
		if n := s.Count; n.Unit != Plain || n.Value < 1 || n.Value > maxUnroll {
			c.errorf(n.Pos, "unroll repeats 1 to %d times, not %s", maxUnroll, n)
		}
		c.flow(s.Body, true)
	case *Break:
		return c.loopOnly(s.Pos, "break", inLoop)
	case *Continue:
		return c.loopOnly(s.Pos, "continue", inLoop)
	case *Return:
		return true
	case *ExprStmt:
		call, ok := s.X.(*Call)
		return ok && call.Func != nil && call.Func.Leaves
	}
	return false
}

func (c *clause) flowBlock(b *Block, inLoop bool) (leaves bool) {
	warned := false
	for _, s := range b.Stmts {
		if leaves && !warned {
			c.warnf(s.Position(), "this is never reached")
			warned = true
		}
		leaves = c.flow(s, inLoop) || leaves
	}
	return leaves
}

func (c *clause) loopOnly(pos Pos, what string, inLoop bool) bool {
	if !inLoop {
		c.errorf(pos, "%s belongs into unroll; return ends the probe", what)
	}
	return true
}
