package plylang

import "testing"

// TestJoin shows what becomes of two types in one cell; "" is a conflict.
func TestJoin(t *testing.T) {
	duration, text := DurationT, StringType(16)
	errno, signal := &Type{Kind: Int, Size: 8, Display: DisplayErrno}, &Type{Kind: Int, Size: 8, Display: DisplaySignal}
	task := pointerTo(&Type{Kind: Struct, Struct: taskStruct})
	sixteen, eight := &Type{Kind: Bytes, Size: 16}, &Type{Kind: Bytes, Size: 8}
	states := &Enumeration{Name: "states"}
	state, wide := &Type{Kind: Enum, Size: 4, Enum: states}, &Type{Kind: Enum, Size: 8, Signed: true, Enum: states}
	other, flag := &Type{Kind: Enum, Size: 4, Enum: &Enumeration{Name: "others"}}, &Type{Kind: Bool, Size: 1}
	table := func(name string) *Type {
		return NamedType(4, false, &Enumeration{Field: "x", Values: []Enumerator{{name, 1}}})
	}
	tests := []struct {
		a, b *Type
		want string
	}{
		{nil, U32, "s64"},
		{U64, nil, "u64"},
		{U8, U8, "s64"},
		{U64, U64, "u64"},
		{U64, U32, "s64"},
		{U64, S64, "s64"},
		{Literal, U64, "u64"},
		{U64, Literal, "u64"},
		{Literal, S32, "s64"},
		{Literal, Literal, "literal"},
		{zeroT, Literal, "literal"},
		{zeroT, zeroT, "zero"},
		{zeroT, duration, "duration"},
		{timestamp, zeroT, "timestamp"},
		{zeroT, task, "*struct task_struct"},
		{zeroT, text, ""},
		{zeroT, stackT, ""},
		{duration, duration, "duration"},
		{duration, Literal, ""},
		{duration, timestamp, ""},
		{timestamp, scaled, "timestamp"},
		{text, StringType(4), "string[16]"},
		{StringType(4), text, "string[16]"},
		{text, U64, ""},
		{text, sixteen, ""},
		{sixteen, sixteen, "bytes[16]"},
		{sixteen, eight, ""},
		{task, task, "*struct task_struct"},
		{task, charPtr, "*void"},
		{userPtr, charPtr, "user *s8"},
		{task, U64, "u64"},
		{S32, task, "s64"},
		{task, duration, ""},
		{errno, U64, "u64 as errno"},
		{errno, errno, "u64 as errno"},
		{errno, signal, ""},
		{stackT, stackT, "stack as stack"},
		{stackT, U64, ""},
		{nil, state, "enum states in s64"},
		{state, wide, "enum states in s64"},
		{state, Literal, "enum states in s64"},
		{zeroT, state, "enum states in s64"},
		{Literal, flag, "bool in s64"},
		{state, other, "s64"},
		{state, flag, "s64"},
		{state, U64, "s64"},
		{U32, flag, "s64"},
		{table("a"), table("a"), "enum  in s64 as enum"},
		{table("a"), Literal, "enum  in s64 as enum"},
		{zeroT, table("a"), "enum  in s64 as enum"},
		{table("a"), table("b"), "s64"},
		{table("a"), U32, "s64"},
		{U64, table("a"), "s64"},
		{table("a"), errno, ""},
		{state, duration, ""},
		{state, text, ""},
		{task, state, "s64"},
		{pointerTo(state), pointerTo(U32), "*enum states in u32"},
	}
	for _, test := range tests {
		got := ""
		if typ, ok := join(test.a, test.b); ok {
			got = typeText(typ)
		}
		if got != test.want {
			t.Errorf("join of %s and %s is %q, want %q", typeText(test.a), typeText(test.b), got, test.want)
		}
	}
}

// TestJoinForgetsWhereAStringWas: what a table holds is a copy, which is not
// in a tracepoint's record any more.
func TestJoinForgetsWhereAStringWas(t *testing.T) {
	dynamic := &Type{Kind: String, Size: 64, Dyn: DataLoc, User: true}
	if got, _ := join(nil, dynamic); got.Dyn != NotDyn || got.User || got.Size != 64 {
		t.Errorf("got %+v", got)
	}
}

// Messages call a struct one, whatever its name: Go and C++ have one named string.
func TestStructsAreDescribedAsSuch(t *testing.T) {
	for name, want := range map[string]string{"struct file": "a struct file", "string": "a struct string", "main.T": "a struct main.T"} {
		if got := describe(&Type{Kind: Struct, Struct: &fields{name: name}}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := describe(&Type{Kind: Struct}); got != "a struct" {
		t.Error(got)
	}
}
