package bpfgen

import (
	"ply-exporter/bpfgen/emit"
	"ply-exporter/plylang"
)

// display is the row of a function that changes how a number is shown, and
// nothing else.
func display(name, doc string, how *plylang.Display) *builtin {
	return &builtin{
		Func: plylang.Func{
			Name: name, Doc: doc,
			Params: []plylang.Param{{Name: "x", Want: plylang.WantPlain}},
			Infer: func(args []plylang.Expr) (*plylang.Type, error) {
				t := *args[0].Type()
				if !t.Integer() {
					t = *plylang.U64
				}
				t.Kind, t.Enum = plylang.Int, nil
				t.Unit, t.Literal, t.Display = plylang.Plain, false, how
				return &t, nil
			},
		},
		gen: sameValue,
	}
}

var displays = []*builtin{
	display("ksym", "Shows a kernel address as a symbol.", plylang.DisplaySymbol),
	userSymbol,
	display("errno", "Shows a number as an error name.", plylang.DisplayErrno),
	display("signal", "Shows a number as a signal name.", plylang.DisplaySignal),
	display("syscall", "Shows a number as a system call name.", plylang.DisplaySyscall),
	display("dev", "Shows a device number as a device name.", plylang.DisplayDevice),
	display("username", "Shows a user ID as a user name.", plylang.DisplayUser),
	display("ifname", "Shows the index of a network interface as its name.", plylang.DisplayInterface),
	display("pci", "Shows a PCI device, `vendor << 16 | device`, by name.", plylang.DisplayPCI),
	display("pciclass", "Shows the class of a PCI device, with its subclass in the lower 8 bits, by name.", plylang.DisplayPCIClass),
	display("hex", "Shows a number in hexadecimal digits, a negative one in its own width.", plylang.DisplayHex),
	{
		Func: plylang.Func{
			Name: "mac", Doc: "Shows 6 bytes, or those at an address, as `aa:bb:cc:dd:ee:ff`.",
			Params: []plylang.Param{{Name: "x", Want: plylang.WantValue}}, Infer: macType,
		},
		mem: readMAC,
	},
	{
		Func: plylang.Func{
			Name: "ntop", Doc: "Shows 4 or 16 bytes in network byte order as an IP address.",
			Params: []plylang.Param{{Name: "x", Want: plylang.WantValue}}, Infer: inetType,
		},
		gen: callNtop,
		mem: func(g *gen, args []plylang.Expr, dst emit.Mem) { g.memInto(args[0], dst) },
	},
	cgroupFunction,
}

// inetType infers the type of ntop's value: a 32-bit number, or 4 or 16 bytes.
func inetType(args []plylang.Expr) (*plylang.Type, error) {
	t := args[0].Type()
	switch {
	case t.Net == plylang.NetMixed:
		return nil, &plylang.ArgError{Arg: 0, Msg: mixedOrder}
	case t.Integer() && t.Net != 0 && t.Net != 4:
	case t.Integer():
		return shown(plylang.U32, plylang.DisplayInet), nil
	case !t.Scalar() && t.Kind != plylang.String && (t.Size == 4 || t.Size == 16):
		return &plylang.Type{Kind: plylang.Bytes, Size: t.Size, Display: plylang.DisplayInet}, nil
	}
	return nil, &plylang.ArgError{Arg: 0, Msg: "ntop takes a 32-bit number, or 4 or 16 bytes"}
}

// callNtop leaves the bytes of a 32-bit number in R0 as they lie in memory.
func callNtop(g *gen, args []plylang.Expr) {
	g.expr(args[0])
	if args[0].Type().Net != 0 {
		g.Turn(4)
	}
}
