package plylang

// A Kind is the broad class of a Type.
type Kind uint8

// The kinds of values. Integers, of which enums and bools are two sorts, and
// pointers are computed in 64 bits; the others are byte sequences of a fixed size
// that live in memory.
const (
	Invalid Kind = iota
	Int          // Size 1, 2, 4 or 8 where it is stored; 8 once it is computed with
	Enum         // an integer whose values have names, see Enumeration
	Bool         // an integer that is 0 or 1
	Pointer      // to Elem; User says in which memory
	Struct       // struct or union, see Struct
	Array        // Len elements of Elem
	String       // text of at most Size bytes, NUL-padded, its end a NUL or Size
	Bytes        // Size bytes without a meaning
	Stack        // id of a stack; Size 8
	Void         // what print() and its kin give: nothing
)

// A Unit is what an integer measures.
type Unit uint8

// Subtracting two timestamps gives a duration. Both are nanoseconds inside.
const (
	Plain Unit = iota
	Duration
	Timestamp
)

// A Type says what a value is and what it means, so that labels, units and
// text need no configuration. Types are shared and not changed once made.
type Type struct {
	Kind   Kind
	Size   int  // bytes where the value is stored
	Signed bool // integers only
	Unit   Unit // integers only

	Enum *Enumeration // Enum only

	// Literal marks an integer that comes from literals only: it joins with
	// unsigned values without making them signed.
	Literal bool

	// Display says how the value becomes text; nil is the kind's own text. Two
	// types that differ in Display only can be joined when one of them has none.
	Display *Display

	// Net is 2, 4 or 8 for an integer that lies in memory in network byte order,
	// in as many bytes, and NetMixed where that holds for some of the values of a
	// map or a local. An integer is turned around where it is loaded: the value
	// itself is in host order.
	Net uint8

	User   bool // Pointer and addresses: into user memory
	Elem   *Type
	Len    int
	Struct Fields

	// Dyn marks a tracepoint field that holds where its value is in the
	// record: __data_loc (offset from the record) or __rel_loc (offset from
	// the end of the field).
	Dyn Dyn
}

// Dyn is how a dynamic tracepoint field says where its value is.
type Dyn uint8

// The kinds of dynamic fields.
const (
	NotDyn Dyn = iota
	DataLoc
	RelLoc
)

// Fields is a struct's or union's members, read from BTF or from a
// tracepoint's format when they are asked for.
type Fields interface {
	Name() string // "struct sk_buff", "tracepoint sched/sched_switch"
	Member(name string) (Field, bool)
	Names() []string // in order of declaration, for suggestions
}

// A Field is one member of a struct or union.
type Field struct {
	Name      string
	Type      *Type
	Offset    int // bytes from the beginning of the struct
	BitOffset int // bit fields: first bit, counted from the lowest of the Type.Size bytes at Offset
	BitSize   int // bit fields: bits; 0 for all others
}

// NetMixed is the Net of what holds values that were in network byte order, and
// others.
const NetMixed = 255

// Types in common use.
var (
	U8        = &Type{Kind: Int, Size: 1}
	U16       = &Type{Kind: Int, Size: 2}
	U32       = &Type{Kind: Int, Size: 4}
	U64       = &Type{Kind: Int, Size: 8}
	S8        = &Type{Kind: Int, Size: 1, Signed: true}
	S16       = &Type{Kind: Int, Size: 2, Signed: true}
	S32       = &Type{Kind: Int, Size: 4, Signed: true}
	S64       = &Type{Kind: Int, Size: 8, Signed: true}
	Literal   = &Type{Kind: Int, Size: 8, Signed: true, Literal: true}
	BE16      = &Type{Kind: Int, Size: 2, Net: 2}
	BE32      = &Type{Kind: Int, Size: 4, Net: 4}
	BE64      = &Type{Kind: Int, Size: 8, Net: 8}
	DurationT = &Type{Kind: Int, Size: 8, Signed: true, Unit: Duration, Display: DisplayTime}
	VoidT     = &Type{Kind: Void}
)

// StringType returns the type of text of at most size bytes.
func StringType(size int) *Type { return &Type{Kind: String, Size: size} }

// Scalar says whether values of t are computed in a register.
func (t *Type) Scalar() bool {
	return t.Integer() || t != nil && (t.Kind == Pointer || t.Kind == Stack)
}

// Integer says whether values of t are integers.
func (t *Type) Integer() bool {
	return t != nil && (t.Kind == Int || t.Kind == Enum || t.Kind == Bool)
}

// asInt is t, or where t is an enum or a bool the integer that it is, without the
// names of its values.
func (t *Type) asInt() *Type {
	if !t.Integer() || t.Kind == Int {
		return t
	}
	plain := *t
	plain.Kind, plain.Enum = Int, nil
	if t.Kind == Enum {
		plain.Display = nil
	}
	return &plain
}
