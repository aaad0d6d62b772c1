package ctype

import (
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

	result btf.Type
}

// A Param is a parameter of a function.
type Param struct {
	Name string
	Type *plylang.Type

	// OneWord says that it is passed as one argument: numbers and pointers are,
	// and structs of up to 8 bytes.
	OneWord bool

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

func funcOf(k *kernel.Kernel, proto *btf.FuncProto) *Func {
	f := &Func{Result: Of(k, proto.Return), result: proto.Return}
	if !f.Result.Scalar() {
		f.Result = plylang.S64
	}
	for _, p := range proto.Params {
		size, err := btf.Sizeof(p.Type)
		f.Params = append(f.Params, Param{
			Name: p.Name, Type: Of(k, p.Type), OneWord: err == nil && size > 0 && size <= 8, declared: p.Type,
		})
	}
	return f
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

// TracepointArgs returns the types of the arguments of a tracepoint, given
// without its category; nil where they are not known.
func TracepointArgs(k *kernel.Kernel, event string) []*plylang.Type {
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
	var args []*plylang.Type
	for _, param := range proto.Params[1:] { // what is called gets its own data first
		args = append(args, Of(k, param.Type))
	}
	return args
}
