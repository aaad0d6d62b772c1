package plylang

import (
	"sort"
	"strings"
)

// ctypeName is the name of a C type with single spaces and its stars apart.
func ctypeName(name string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(name, "*", " * ")), " ")
}

// castType returns the type that a cast names, nil when there is none.
func castType(name string, env Env) (*Type, error) {
	name = ctypeName(name)
	if t := IntegerNamed(name); t != nil {
		return t, nil
	}
	if t, err := env.TypeNamed(name); t != nil || err != nil {
		return t, err
	}
	base, stars := name, 0
	for strings.HasSuffix(base, " *") {
		base, stars = strings.TrimSuffix(base, " *"), stars+1
	}
	t := IntegerNamed(base)
	if t == nil && base != name {
		t, _ = env.TypeNamed(base)
	}
	if t == nil && base != "void" || stars == 0 {
		return nil, nil
	}
	for range stars {
		t = &Type{Kind: Pointer, Size: 8, Elem: t}
	}
	return t, nil
}

// IntegerNamed returns the integer type of that name, nil when there is none: one
// of C's, whatever the order of its words, or one of the usual names for them.
func IntegerNamed(name string) *Type {
	words := strings.Fields(name)
	sort.Strings(words)
	return cIntegers[strings.Join(words, " ")]
}

// cIntegers are the names of integer types, with their words in alphabetical
// order. All that the kernel traces has a long of 64 bits and, but for some
// architectures that this table does not follow, a signed char.
var cIntegers = map[string]*Type{
	"u8": U8, "u16": U16, "u32": U32, "u64": U64,
	"s8": S8, "s16": S16, "s32": S32, "s64": S64,
	"__u8": U8, "__u16": U16, "__u32": U32, "__u64": U64,
	"__s8": S8, "__s16": S16, "__s32": S32, "__s64": S64,
	"__be16": BE16, "__be32": BE32, "__be64": BE64,
	"uint8_t": U8, "uint16_t": U16, "uint32_t": U32, "uint64_t": U64,
	"int8_t": S8, "int16_t": S16, "int32_t": S32, "int64_t": S64,
	"uint8": U8, "uint16": U16, "uint32": U32, "uint64": U64,
	"int8": S8, "int16": S16, "int32": S32, "int64": S64,

	"char": S8, "char signed": S8, "char unsigned": U8,
	"short": S16, "short signed": S16, "short unsigned": U16,
	"int short": S16, "int short signed": S16, "int short unsigned": U16,
	"int": S32, "int signed": S32, "signed": S32, "int unsigned": U32, "unsigned": U32,
	"long": S64, "long signed": S64, "long unsigned": U64,
	"int long": S64, "int long signed": S64, "int long unsigned": U64,
	"long long": S64, "long long signed": S64, "long long unsigned": U64,
	"int long long": S64, "int long long signed": S64, "int long long unsigned": U64,

	"bool": U8, "_Bool": U8,
	"size_t": U64, "ssize_t": S64, "loff_t": S64, "off_t": S64,
	"uintptr_t": U64, "intptr_t": S64, "ptrdiff_t": S64,
	"pid_t": S32, "uid_t": U32, "gid_t": U32, "dev_t": U32, "umode_t": U16,
	"sector_t": U64, "gfp_t": U32,
}
