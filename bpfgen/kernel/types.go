package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"

	"ply-exporter/plylang"
)

// errNoBTF tells what a kernel without type information lacks. It is
// plylang.ErrMissing.
var errNoBTF noBTF

type noBTF struct{}

func (noBTF) Error() string {
	return "this kernel has no type information in /sys/kernel/btf: it needs CONFIG_DEBUG_INFO_BTF"
}
func (noBTF) Is(target error) bool { return target == plylang.ErrMissing }

// BTF returns the kernel's types, without those of modules. Types are shared:
// copy before changing one.
func (k *Kernel) BTF() (*btf.Spec, error) { return k.kept.Load().vmlinux() }

// TypeCache returns where the running kernel's types are kept, which loading
// programs needs too: decoding them takes longer than anything else.
func (k *Kernel) TypeCache() *btf.Cache { return k.kept.Load().types }

func (k *Kernel) readVmlinux() (*btf.Spec, error) {
	var spec *btf.Spec
	var err error
	if k.running() {
		spec, err = k.kept.Load().types.Kernel() // maps the file into memory instead of copying it
	} else {
		spec, err = k.readTypes("vmlinux", nil)
	}
	switch {
	case errors.Is(err, btf.ErrNotSupported), errors.Is(err, fs.ErrNotExist):
		return nil, errNoBTF
	case err != nil:
		return nil, fmt.Errorf("kernel types: %w", err)
	}
	return spec, nil
}

// readTypes reads the types of the kernel, or of a module on those of base.
func (k *Kernel) readTypes(name string, base *btf.Spec) (*btf.Spec, error) {
	raw, err := fs.ReadFile(k.files, "sys/kernel/btf/"+name)
	if err != nil {
		return nil, err
	}
	return btf.LoadSplitSpecFromReader(bytes.NewReader(raw), base)
}

// moduleTypes are the types of the modules that were asked for.
type moduleTypes struct {
	sync.Mutex
	specs map[string]*btf.Spec
}

// moduleBTF returns a loaded module's types.
func (k *Kernel) moduleBTF(module string) (*btf.Spec, error) {
	base, err := k.BTF()
	if err != nil || module == "" {
		return base, err
	}
	modules := &k.kept.Load().modules
	modules.Lock()
	defer modules.Unlock()
	if spec := modules.specs[module]; spec != nil {
		return spec, nil
	}
	spec, err := k.readTypes(module, base)
	if err != nil {
		return nil, fmt.Errorf("types of module %s: %w", module, err)
	}
	if modules.specs == nil {
		modules.specs = map[string]*btf.Spec{}
	}
	modules.specs[module] = spec
	return spec, nil
}

// BTFFunc returns the declaration of a function, which may lie in a loaded
// module ("tcp_v4_rcv", "xfs:xfs_file_open"). The error is plylang.ErrMissing when
// there is none; system calls without arguments have none of their wrapper.
func (k *Kernel) BTFFunc(name string) (*btf.Func, error) {
	module, function, ok := strings.Cut(name, ":")
	if !ok {
		module, function = "", name
	} else if module == "vmlinux" {
		module = ""
	}
	f, err := k.funcIn(module, function)
	if err == nil || ok || !errors.Is(err, errNotFound) {
		return f, err
	}
	symbols, symErr := k.kept.Load().kallsyms()
	if symErr != nil {
		return nil, err
	}
	for symbol := range symbols.named(function) {
		if owner := symbols.modules[symbols.owner[symbol]]; owner != "" && !strings.HasPrefix(owner, "_") {
			return k.funcIn(owner, function)
		}
	}
	return nil, err
}

// DeclarationOf returns the only declaration of that function: by its number a
// program is attached. The error is plylang.ErrMissing when there is none.
func (k *Kernel) DeclarationOf(f Function) (*btf.Func, error) {
	spec, err := k.moduleBTF(f.Module)
	if err != nil {
		return nil, err
	}
	var found *btf.Func
	err = spec.TypeByName(f.Name, &found)
	if errors.Is(err, btf.ErrNotFound) {
		return nil, fmt.Errorf("type of function %s: %w", f.Name, errNotFound)
	}
	return found, err
}

func (k *Kernel) funcIn(module, name string) (*btf.Func, error) {
	spec, err := k.moduleBTF(module)
	if err != nil {
		return nil, err
	}
	types, err := spec.AnyTypesByName(name)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return nil, fmt.Errorf("function %s: %w", name, err)
	}
	var found *btf.Func
	for _, t := range types {
		f, ok := t.(*btf.Func)
		switch {
		case !ok:
		case found != nil && !sameSignature(found, f):
			return nil, fmt.Errorf("function %s: several functions of that name have different arguments", name)
		default:
			found = f
		}
	}
	if found == nil {
		return nil, fmt.Errorf("type of function %s: %w", name, errNotFound)
	}
	return found, nil
}

// sameSignature compares what a probe could use: the parameters' names and
// their types as they print.
func sameSignature(a, b *btf.Func) bool {
	return fmt.Sprint(a.Type) == fmt.Sprint(b.Type) && signature(a) == signature(b)
}

func signature(f *btf.Func) string {
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v", proto.Return)
	for _, p := range proto.Params {
		fmt.Fprintf(&b, ",%s %v", p.Name, p.Type)
	}
	return b.String()
}

// Struct returns a struct or union of the kernel by its name without the
// keyword: a *btf.Struct, a *btf.Union or a typedef of one. The error wraps
// plylang.ErrMissing when there is none.
func (k *Kernel) Struct(name string) (btf.Type, error) {
	spec, err := k.BTF()
	if err != nil {
		return nil, err
	}
	types, err := spec.AnyTypesByName(name)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return nil, fmt.Errorf("struct %s: %w", name, err)
	}
	for _, t := range types {
		if _, ok := Members(t); ok {
			return t, nil
		}
	}
	return nil, fmt.Errorf("struct %s: %w", name, errNotFound)
}

// Members returns the members of a struct or union, also through typedefs and
// qualifiers; ok is false for other types.
func Members(t btf.Type) (members []btf.Member, ok bool) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members, true
	case *btf.Union:
		return t.Members, true
	}
	return nil, false
}

// FieldOffset returns how many bytes a member lies behind a struct's start. The
// path may go through embedded structs ("thread_info.status"); the members of
// nameless ones count as the struct's own. The error is plylang.ErrMissing when
// the struct or the member does not exist.
func (k *Kernel) FieldOffset(structName, path string) (int, error) {
	t, err := k.Struct(structName)
	if err != nil {
		return 0, err
	}
	offset := btf.Bits(0)
	for name := range strings.SplitSeq(path, ".") {
		member, at, ok := findMember(t, name)
		if !ok {
			return 0, fmt.Errorf("member %s of struct %s: %w", path, structName, errNotFound)
		}
		offset, t = offset+at, member.Type
	}
	if offset%8 != 0 {
		return 0, fmt.Errorf("member %s of struct %s is a bit field", path, structName)
	}
	return int(offset / 8), nil
}

// findMember finds a member by name, also inside nameless structs and unions.
func findMember(t btf.Type, name string) (member btf.Member, offset btf.Bits, ok bool) {
	members, _ := Members(t)
	for _, m := range members {
		if m.Name == name {
			return m, m.Offset, true
		}
		if m.Name != "" {
			continue
		}
		if found, at, ok := findMember(m.Type, name); ok {
			return found, m.Offset + at, true
		}
	}
	return btf.Member{}, 0, false
}
