package plylang

import (
	"fmt"
	"hash/fnv"
	"slices"
)

// Names of values
//
// A number's names come from an enum of the kernel's types, or from the table with
// which a tracepoint prints a field. They are how the number is shown, and
// constants where a script computes with it. Two values have the same names only
// where all names are the same: the numbers of one enum named after another would
// be wrong without a word, so what holds both is a plain number.

// An Enumeration has the names of values: those of an enum, or of a tracepoint's
// field.
type Enumeration struct {
	Name   string // of the enum, without "enum"; "" for one without a name, and for a table
	Values []Enumerator

	// Field and Where are the field whose table it is, and its tracepoint's name;
	// "" for an enum.
	Field, Where string

	// Flags says that each value is a bit or several, and that the names of a
	// number are those of its bits.
	Flags bool

	// Also has the names that an enum has for the values of a table; nil where the
	// field is of none. Scripts may use them as well.
	Also *Enumeration
}

// An Enumerator is a name of a value. Several may have the same value.
type Enumerator struct {
	Name  string
	Value int64
}

// String identifies the enumeration among those of a kernel.
func (e *Enumeration) String() string {
	h := fnv.New64a()
	for _, v := range e.Values {
		fmt.Fprintln(h, v.Value, v.Name)
	}
	return fmt.Sprintf("%s %v %016x", e.Name, e.Flags, h.Sum64())
}

// What is what messages call it: "enum skb_drop_reason", "the table of vec in
// softirq_entry".
func (e *Enumeration) What() string {
	switch {
	case e.Field != "":
		return "the table of " + e.Field + " in " + e.Where
	case e.Name != "":
		return "enum " + e.Name
	}
	return "an enum without a name"
}

// Equal says whether two enumerations have the same names for the same values.
func (e *Enumeration) Equal(other *Enumeration) bool {
	return e == other || e != nil && other != nil &&
		e.Name == other.Name && e.Flags == other.Flags && slices.Equal(e.Values, other.Values)
}

// Value returns the value of a name.
func (e *Enumeration) Value(name string) (value int64, ok bool) {
	for ; e != nil; e = e.Also {
		for _, v := range e.Values {
			if v.Name == name {
				return v.Value, true
			}
		}
	}
	return 0, false
}

// NameOf returns the first name of a value, "" where it has none.
func (e *Enumeration) NameOf(value int64) string {
	for _, v := range e.Values {
		if v.Value == value {
			return v.Name
		}
	}
	return ""
}

// Names lists all names, for suggestions.
func (e *Enumeration) Names() []string {
	var names []string
	for ; e != nil; e = e.Also {
		for _, v := range e.Values {
			names = append(names, v.Name)
		}
	}
	return names
}

// NamedType is the type of numbers of a size and sign whose values have names.
func NamedType(size int, signed bool, e *Enumeration) *Type {
	return &Type{Kind: Enum, Size: size, Signed: signed, Enum: e, Display: displayEnum(e)}
}

// oneEnum makes both numbers plain where they do not have the same names. What
// literals stand for has any names.
func oneEnum(a, b *Type) (*Type, *Type) {
	switch {
	case a.Kind != Enum && b.Kind != Enum, a.Enum.Equal(b.Enum):
		return a, b
	case a.Kind == Enum && (b.Literal || b.Display != nil && b.Kind != Enum):
		return a, b
	case b.Kind == Enum && (a.Literal || a.Display != nil && a.Kind != Enum):
		return a, b
	}
	return a.asInt(), b.asInt()
}

// isIdentifier says whether a script can write a name as it is.
func isIdentifier(name string) bool { return name != "" && nameLen(name) == len(name) }
