package bpfgen

import (
	"fmt"
	"math/bits"

	"ply-exporter/plylang"
)

// Network byte order
//
// The kernel declares such numbers __be16, __be32 or __be64, in BTF and in the
// formats of tracepoints, and a load of one turns it around. So a script sees
// numbers in host order only, but for those that are declared u16 and hold network
// byte order all the same; ntohs() and ntohl() are for these. What is known of a
// number goes with it into locals and maps, so that nothing is turned around twice
// and ntop() gets the bytes of an address as they lie in memory.

const mixedOrder = "this holds numbers that were in network byte order, and others: convert them before they are stored"

// toHost is the row of ntohs or ntohl, which take size bytes.
func toHost(name string, size int) *builtin {
	result := map[int]*plylang.Type{2: plylang.BE16, 4: plylang.BE32}[size]
	return &builtin{
		Func: plylang.Func{
			Name: name, Doc: fmt.Sprintf("Number in host order of the %d bits x, which are in network byte order.", 8*size),
			Params: []plylang.Param{{Name: "x", Want: plylang.WantPlain}},
			Infer: func(args []plylang.Expr) (*plylang.Type, error) {
				if args[0].Type().Net == plylang.NetMixed {
					return nil, &plylang.ArgError{Arg: 0, Msg: mixedOrder}
				}
				return result, nil
			},
			Doubt: func(args []plylang.Expr) string {
				if args[0].Type().Net == 0 {
					return ""
				}
				return fmt.Sprintf("%s is in host order already: leave %s() out", args[0], name)
			},
			Fold: func(args []plylang.Expr) (uint64, bool) {
				v, ok := plylang.ConstInt(args[0])
				return bits.ReverseBytes64(uint64(v)) >> (64 - 8*size), ok && args[0].Type().Net == 0
			},
		},
		gen: func(g *gen, args []plylang.Expr) {
			g.expr(args[0])
			if args[0].Type().Net == 0 {
				g.Turn(size)
				return
			}
			g.Extend(map[int]*plylang.Type{2: plylang.U16, 4: plylang.U32}[size])
		},
	}
}

var orders = []*builtin{toHost("ntohs", 2), toHost("ntohl", 4)}
