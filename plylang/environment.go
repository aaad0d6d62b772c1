package plylang

import "errors"

// ErrMissing is what errors.Is finds in an error that says only that this kernel
// does not have what a script needs: the script is right, and may run on another
// kernel. An Error and an ErrorList answer it, and so must the errors of
// Env.Scopes.
var ErrMissing = errors.New("missing in this kernel")

// ErrLater is what errors.Is finds besides in an error that says only that a program or
// a library is not there, which may be installed while the script waits for it.
var ErrLater = errors.New("not there yet")

// An Env is what Check must know from outside the script: the probes of the
// machine and the built-ins of the code generator.
type Env interface {
	// Scopes resolves a specification to the groups of sites it matches. All
	// sites of a group look the same to the script: the members in uses have
	// the same layout in each. An error is positioned at the specification.
	Scopes(spec *Spec, uses Uses) ([]Scope, error)

	// Lookup returns the built-in of that name or alias that every probe has,
	// nil when there is none.
	Lookup(name string) *Func

	// Names lists what Lookup knows, without aliases, for suggestions.
	Names() []string

	// TypeNamed returns the type a cast names ("u32", "struct sk_buff *"), and
	// an error where the kernel has several of that name that are not the same;
	// nil when there is none.
	TypeNamed(name string) (*Type, error)

	// Enumerators returns the enums that have a value of that name.
	Enumerators(name string) []*Enumeration

	// Param returns the text of $1, $2 … and of $NAME.
	Param(name string) (string, bool)
}

// Uses says which names a clause uses, found before types are known.
type Uses struct {
	Names   map[string]bool // variables and functions, canonical and as written
	Members map[string]bool // x of data->x and args->x, and bare names in a "trace:" probe
	Whole   map[string]bool // variables used other than for the value of a member
	Asked   map[string]bool // variables that exists() asks for, a member of them not
}

// A Scope is a group of sites as a clause sees it.
type Scope interface {
	// Lookup returns the built-in of that name or alias that only this kind
	// of probe has (arg0, retval, data, func …), nil when there is none.
	Lookup(name string) *Func

	// Names lists what Lookup knows, for suggestions.
	Names() []string

	// Elsewhere says in which probes a name exists that this one does not have:
	// "kretprobe"; "" when it exists nowhere.
	Elsewhere(name string) string

	// Narrowed is the scope for a clause that uses less than was said when the
	// scope was made, because exists() cut something out of it.
	Narrowed(uses Uses) Scope
}

// A Role is what a Func is in the language.
type Role uint8

// The roles of built-ins.
const (
	Variable    Role = iota + 1 // pid: a Name
	Function                    // str(p): a Call that gives a value
	Aggregation                 // count(): the right side of an assignment to a map
	Action                      // print(): a statement
)

// A Func is one built-in variable, function, aggregation or action, as the
// checker and the documentation see it. The code generator's row embeds it.
type Func struct {
	Name    string // canonical
	Aliases []string
	Role    Role
	Doc     string // one sentence for the manual
	Params  []Param

	// Result is the type of the value; for aggregations it is unused. Infer
	// computes it from the checked arguments where it depends on them, and
	// may find fault with them: its error is reported at the argument that an
	// ArgError names, else at the call.
	Result *Type
	Infer  func(args []Expr) (*Type, error)

	// Fold computes the value from the checked arguments where it is known when
	// the script is compiled (sizeof); nil: it never is.
	Fold func(args []Expr) (value uint64, ok bool)

	// Called is the function that a variable's name is with arguments: cgroup, and
	// cgroup(x); nil for most.
	Called *Func

	// Doubt says of the checked arguments what is seldom meant; "" of most. It is
	// a warning.
	Doubt func(args []Expr) string

	// Leaves marks what ends the clause at once, so that what follows it does
	// not run (exit).
	Leaves bool

	// Struct variables such as data and args: "data->x" asks Result.Elem's
	// Struct for the member. OnlyMembers marks one that is no value itself, as
	// args, whose members need not lie side by side in memory.
	OnlyMembers bool

	// RunOnly marks what has a meaning in "run" only (exit).
	RunOnly bool

	// Impl belongs to the code generator.
	Impl any
}

// A Param is one parameter of a built-in.
type Param struct {
	Name     string
	Want     Want
	Optional bool // this one and all that follow may be left out
	Variadic bool // the last one only: any number of them
	Const    bool // must be known when the script is compiled
	LikeX    bool // of an aggregation: has the unit of its first argument
}

// A Want is what an argument may be.
type Want uint8

// The classes of arguments.
const (
	WantInt     Want = iota + 1 // an integer, with or without a unit
	WantPlain                   // an integer without a unit
	WantAddress                 // a pointer or an integer used as an address
	WantString                  // a string
	WantMap                     // a map without a key
	WantValue                   // anything that has a value
	WantFormat                  // a literal format string
	WantPrint                   // anything that has a value, or a map
)

// An ArgError is a fault in the argument with that index, from 0.
type ArgError struct {
	Arg int
	Msg string
}

func (e *ArgError) Error() string { return e.Msg }
