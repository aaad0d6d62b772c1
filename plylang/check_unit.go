package plylang

// A unitRule is what an operator makes of two units.
type unitRule struct {
	op   Token
	a, b Unit
	gives
}

// gives is the unit of a result, and whether it deserves a warning.
type gives struct {
	unit Unit
	warn bool
}

// unitRules is the table of the operators that keep a unit or make one. ADD
// and SUB of what is not in it make no sense; any other operator drops units:
// (time - t) / 1000 is how people say microseconds. A number that is no
// literal and is subtracted from a timestamp is taken as one: the kernel's own
// start times have no unit.
var unitRules = []unitRule{
	{ADD, Duration, Duration, gives{Duration, false}},
	{ADD, Duration, Plain, gives{Duration, true}},
	{ADD, Plain, Duration, gives{Duration, true}},
	{ADD, Timestamp, Duration, gives{Timestamp, false}},
	{ADD, Duration, Timestamp, gives{Timestamp, false}},
	{ADD, Timestamp, Plain, gives{Timestamp, true}},
	{ADD, Plain, Timestamp, gives{Timestamp, true}},
	{SUB, Duration, Duration, gives{Duration, false}},
	{SUB, Duration, Plain, gives{Duration, true}},
	{SUB, Plain, Duration, gives{Duration, true}},
	{SUB, Timestamp, Timestamp, gives{Duration, false}},
	{SUB, Timestamp, Duration, gives{Timestamp, false}},
	{SUB, Timestamp, Plain, gives{Timestamp, true}},
	{MOD, Duration, Duration, gives{Duration, false}},
	{MOD, Timestamp, Duration, gives{Duration, false}},
}

// withUnits types an operation where a side has a unit.
func (c *clause) withUnits(pos Pos, op Token, a, b sided) *Type {
	g, ok := unitOf(op, a.t.Unit, b.t.Unit)
	switch {
	case a.t.Unit == Timestamp && b.t.Unit == Timestamp && (a.t.Display == DisplayWalltime) != (b.t.Display == DisplayWalltime):
		c.errorf(pos, "%v of two clocks makes no sense: walltime counts from 1970, time and nsecs from the start of the machine", op)
		return nil
	case op == MUL && (scales(a, b) || scales(b, a)):
		return DurationT
	case op == SUB && (seconds(a.x) || seconds(b.x)):
		c.warnf(pos, "one side is in nanoseconds and secs in seconds: write secs * 1s")
		return DurationT
	case op == SUB && elapsed(a.t, b.t) || op == SUB && elapsed(b.t, a.t):
		return DurationT
	case !ok && (op == ADD || op == SUB):
		c.errorf(pos, "%s %s %s makes no sense", describe(a.t), map[Token]string{ADD: "plus", SUB: "minus"}[op], describe(b.t))
		return nil
	case !ok || g.unit == Plain:
		return signed64(!Unsigned(op, a.t, b.t))
	case g.warn:
		c.mixedUnits(pos, op, a, b)
	}
	if g.unit == Duration {
		return DurationT
	}
	if a.t.Unit == Timestamp {
		return a.t
	}
	return b.t
}

// scales says whether a is a literal with a unit, and b a number of such units:
// 1s in ts->tv_sec * 1s.
func scales(a, b sided) bool {
	n, ok := a.x.(*Number)
	return ok && n.Unit == Duration && b.t.Unit == Plain
}

// seconds says whether x is the variable that counts seconds.
func seconds(x Expr) bool {
	n, ok := x.(*Name)
	return ok && n.Func != nil && n.Func.Name == "secs"
}

// elapsed says whether t is a timestamp and u a number that was not written
// as a literal, so that it is taken as one too.
func elapsed(t, u *Type) bool {
	return t.Unit == Timestamp && u.Unit == Plain && !u.Literal && u.Size == 8 && u.Display == nil
}

func unitOf(op Token, a, b Unit) (gives, bool) {
	for _, r := range unitRules {
		if r.op == op && r.a == a && r.b == b {
			return r.gives, true
		}
	}
	return gives{}, false
}
