package plylang

import (
	"fmt"
	"strings"
)

// What other probes have, and this one has not.

// noArgument reports an argument that the probe, which has others, has not.
func (c *clause) noArgument(x *Name) bool {
	digits, ok := strings.CutPrefix(x.Name, "arg")
	switch {
	case !ok || c.lookup("arg0") == nil:
		return false
	case digits == "s" && ProviderNamed("usdt").Called(c.Spec.Provider):
		c.errorf(x.Pos, "the arguments of probes that programs declare have no names: write %s", c.itsArguments())
	case digits == "s":
		c.errorf(x.Pos, "what %s matches declares no arguments, or each its own: write %s%s", c.Spec, c.itsArguments(), c.castOfRaw())
	case isNumber(digits):
		c.errorf(x.Pos, "there is no %s: %s", x.Name, c.numbered())
	default:
		return false
	}
	return true
}

// castOfRaw says how to come to what a raw tracepoint is given, since a kernel may
// not describe it.
func (c *clause) castOfRaw() string {
	if !ProviderNamed("rawtracepoint").Called(c.Spec.Provider) {
		return ""
	}
	return ", and casts of what they point to, as in ((struct sk_buff *)arg0)->len; the tracepoint's record has named fields"
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// itsArguments names those of arg0, arg1 and so on that the probe has.
func (c *clause) itsArguments() string {
	if last := c.lastArgument(); last > 0 {
		return fmt.Sprint("arg0 to arg", last)
	}
	return "arg0"
}

// numbered says the same in a sentence.
func (c *clause) numbered() string {
	if c.lastArgument() > 0 {
		return "arguments are numbered from " + c.itsArguments()
	}
	return "the only argument is arg0"
}

// lastArgument is the last of arg0, arg1 and so on that the probe has.
func (c *clause) lastArgument() (n int) {
	for c.lookup(fmt.Sprint("arg", n+1)) != nil {
		n++
	}
	return n
}

// elsewhere reports a name that only other kinds of probes have.
func (c *clause) elsewhere(pos Pos, name string) bool {
	where := c.Scope.Elsewhere(name)
	if where != "" {
		c.errorf(pos, "%s exists in %s, not in %s%s", name, where, c.here(where), c.instead(name))
	}
	return where != ""
}

// Entry is implemented by the scopes of calls that return: it says how to keep an
// argument where the call begins, as in "kprobe:SyS_write { @x[tid] = args->fd; }"; ""
// when it has none of that name.
type Entry interface {
	Entry(name string) string
}

// keptAtEntry suggests that for a name that is not known where the call returns.
func (c *clause) keptAtEntry(name string) string {
	if scope, ok := c.Scope.(Entry); ok {
		if keep := scope.Entry(name); keep != "" {
			return ": keep it where the call begins, as in " + keep
		}
	}
	return ""
}

// here names the probe: by its provider, unless others of that have the name.
func (c *clause) here(where string) string {
	if strings.Contains(where, " of a function") || strings.Contains(where, c.Spec.Provider+":") {
		return c.Spec.String()
	}
	return c.Spec.Provider
}

// instead says what to do where an argument by its number is wanted and there is
// none, or the time of what is no call.
func (c *clause) instead(name string) string {
	digits, ok := strings.CutPrefix(name, "arg")
	data, fields := c.fields()
	switch {
	case name == "elapsed":
		return ": it is the time of the call that returns; that of anything else is time - @begin[tid], with @begin[tid] = time where it begins"
	case name == "args" && c.Scope.Lookup("retval") != nil:
		return ": keep it where the function begins, as in @x[tid] = args->name"
	case !ok || !isNumber(digits):
		return ""
	case c.Scope.Lookup("retval") != nil:
		return fmt.Sprintf(": keep it where the function begins, as in @x[tid] = %s", name)
	case fields == nil || len(fields.Names()) == 0:
		return ""
	}
	names := fields.Names()
	return fmt.Sprintf(": its fields have names, as in %s->%s", data.Name, names[len(names)-1])
}
