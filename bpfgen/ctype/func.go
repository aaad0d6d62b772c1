package ctype

import (
	"fmt"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
)

// A Func is what BTF knows of a function.
type Func struct {
	Params []Param

	// Result is the type of the result. What does not fit a register, and
	// nothing, are taken as the register.
	Result *plylang.Type

	// CheckedResult is Param.Checked of the result.
	CheckedResult bool

	result btf.Type
}

// A Param is a parameter of a function.
type Param struct {
	Name string
	Type *plylang.Type

	// OneWord says that it is passed as one argument: numbers and pointers are,
	// and structs of up to 8 bytes.
	OneWord bool

	// Words is how many words it takes that is passed by value; 0 for the dots at
	// the end of a list of any length.
	Words int

	// Checked says that the kernel's verifier knows what it is: a number, or the
	// address of a struct.
	Checked bool

	declared btf.Type
}

// Text is the type of the parameter as C writes it.
func (p Param) Text() string { return Text(p.declared) }

// ResultText is the type of the result as C writes it.
func (f *Func) ResultText() string { return Text(f.result) }

// FuncNamed returns what is known of a function of the kernel or of a module,
// nil where that is nothing.
func FuncNamed(k *kernel.Kernel, name string) *Func {
	f, err := k.BTFFunc(name)
	if err != nil {
		return nil
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return nil
	}
	return funcOf(k, proto)
}

// Declared returns what the only declaration of a function says. The error is
// plylang.ErrMissing where there is none.
func Declared(k *kernel.Kernel, f kernel.Function) (*Func, error) {
	declaration, err := k.DeclarationOf(f)
	if err != nil {
		return nil, err
	}
	proto, ok := declaration.Type.(*btf.FuncProto)
	if !ok {
		return nil, fmt.Errorf("function %s is a %T", f.Name, declaration.Type)
	}
	return funcOf(k, proto), nil
}

func funcOf(k *kernel.Kernel, proto *btf.FuncProto) *Func {
	f := &Func{Result: Of(k, proto.Return), result: proto.Return, CheckedResult: checked(proto.Return)}
	if !f.Result.Scalar() {
		f.Result = plylang.S64
	}
	for _, p := range proto.Params {
		size, err := btf.Sizeof(p.Type)
		f.Params = append(f.Params, Param{
			Name: p.Name, Type: Of(k, p.Type), OneWord: err == nil && size > 0 && size <= 8, declared: p.Type,
			Words: (size + 7) / 8, Checked: checked(p.Type),
		})
	}
	return f
}

// checked says whether the verifier knows what a value of that type is. Of other
// pointers kernels have different opinions.
func checked(t btf.Type) bool {
	p, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return true
	}
	target := p.Target
	for {
		switch t := target.(type) {
		case *btf.Struct, *btf.Union:
			return true
		case *btf.Const:
			target = t.Type
		case *btf.Volatile:
			target = t.Type
		case *btf.Typedef:
			target = t.Type
		default:
			return false
		}
	}
}

// HasRawTracepoint says whether the kernel has a tracepoint of that name, given
// without its category, that programs can be attached to without a record.
func HasRawTracepoint(k *kernel.Kernel, event string) bool { return rawTracepoint(k, event) != nil }

// rawTracepoint returns the type of the functions that can be attached to a
// tracepoint; nil where there is none.
func rawTracepoint(k *kernel.Kernel, event string) *btf.Typedef {
	spec, err := k.BTF()
	if err != nil {
		return nil
	}
	var t *btf.Typedef
	if spec.TypeByName("btf_trace_"+event, &t) != nil {
		return nil
	}
	return t
}

// TracepointParams returns the arguments of a tracepoint, given without its category,
// with their names, which those of the function have that calls all who are attached;
// nil where they are not known.
func TracepointParams(k *kernel.Kernel, event string) []Param {
	f := FuncNamed(k, "vmlinux:__traceiter_"+event)
	if f == nil || len(f.Params) != 1+len(TracepointArgs(k, event)) {
		return nil
	}
	return f.Params[1:]
}

// TracepointArgs returns the types of the arguments of a tracepoint, given
// without its category; nil where they are not known.
func TracepointArgs(k *kernel.Kernel, event string) []*plylang.Type {
	var args []*plylang.Type
	for _, param := range tracepointParams(k, event) {
		args = append(args, Of(k, param.Type))
	}
	return args
}

// CheckedTracepoint says whether the kernel's verifier knows what all arguments of a
// tracepoint are, given without its category.
func CheckedTracepoint(k *kernel.Kernel, event string) bool {
	for _, param := range tracepointParams(k, event) {
		if !checked(param.Type) {
			return false
		}
	}
	return true
}

// tracepointParams are the parameters of what is attached to a tracepoint, which have
// no names there.
func tracepointParams(k *kernel.Kernel, event string) []btf.FuncParam {
	t := rawTracepoint(k, event)
	if t == nil {
		return nil
	}
	p, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return nil
	}
	proto, ok := p.Target.(*btf.FuncProto)
	if !ok || len(proto.Params) == 0 {
		return nil
	}
	return proto.Params[1:] // what is called gets its own data first
}

// ReturnsNothing says whether the function has no result.
func (f *Func) ReturnsNothing() bool {
	_, is := btf.UnderlyingType(f.result).(*btf.Void)
	return is
}

// ReturnsStruct says whether the function returns a struct by value.
func (f *Func) ReturnsStruct() bool {
	_, is := kernel.Members(f.result)
	return is
}
