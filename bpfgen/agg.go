package bpfgen

import (
	"github.com/cilium/ebpf/asm"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// An aggregation is the code generator's side of one row.
type aggregation struct {
	object.Values
	words int // of a value; histograms have their buckets besides

	// exchanges says that an update is exact only with atomic instructions that
	// fetch.
	exchanges bool

	// buckets makes the buckets of a histogram from its constant arguments.
	// unsigned says that the 64th bit of its numbers is no sign.
	buckets func(args []plylang.Expr, unsigned bool) (object.Buckets, error)

	// update adds the number in x to the value at R7.
	update func(g *gen, m *object.Map, x emit.Mem)

	// first makes the value of a new key from the number in x. A histogram's
	// is too large for that.
	first func(g *gen, m *object.Map, x, dst emit.Mem)
}

// argument is the first parameter of all aggregations but count.
var argument = plylang.Param{Name: "x", Want: plylang.WantInt}

func constantParam(name string, optional bool) plylang.Param {
	return plylang.Param{Name: name, Want: plylang.WantPlain, Const: true, Optional: optional}
}

// boundParam is a constant that is measured as the first argument is.
func boundParam(name string) plylang.Param {
	return plylang.Param{Name: name, Want: plylang.WantInt, Const: true, LikeX: true}
}

// What aggregations may be exported as, the default first.
var (
	asCounter   = []object.Metric{object.MetricCounter, object.MetricGauge}
	asGauge     = []object.Metric{object.MetricGauge}
	asSummary   = []object.Metric{object.MetricSummary}
	asHistogram = []object.Metric{object.MetricHistogram}
)

var aggregations = []*builtin{
	{
		Func: plylang.Func{Name: "count", Doc: "Number of times it is executed."},
		agg: &aggregation{
			Values: object.Values{Shape: object.ShapeNumber, Metrics: asCounter, Reduce: object.ReduceSum, StartsAtZero: true, Written: counted},
			words:  1, update: addOne, first: firstOne,
		},
	},
	{
		Func: plylang.Func{Name: "sum", Doc: "Sum of x.", Params: []plylang.Param{argument}},
		agg: &aggregation{
			Values: object.Values{Shape: object.ShapeNumber, Metrics: asCounter, Reduce: object.ReduceSum, Total: true, Marks: true, StartsAtZero: true},
			words:  2, update: addToSum, first: firstTotal,
		},
	},
	extremeRow("min", "Minimum of x.", true),
	extremeRow("max", "Maximum of x.", false),
	{
		Func: plylang.Func{Name: "avg", Doc: "Average of x.", Params: []plylang.Param{argument}},
		agg: &aggregation{
			Values: object.Values{Shape: object.ShapeMean, Metrics: asSummary, Reduce: object.ReduceSum, Total: true},
			words:  3, update: addToMean, first: firstMean,
		},
	},
	histogramRow("quantize", "Distribution of x over powers of two, each divided into 2^bits equal parts (0 to 4, default 0).",
		newLog2, constantParam("bits", true)),
	histogramRow("lquantize", "Distribution of x in steps from lo to hi.",
		newLinear, boundParam("lo"), boundParam("hi"), boundParam("step")),
	histogramRow("llquantize", "Distribution of x from factor^lo to factor^(hi+1), each power divided into equal steps.",
		newLogLinear, constantParam("factor", false), constantParam("lo", false), constantParam("hi", false), constantParam("steps", false)),
}

func histogramRow(name, doc string, buckets func([]plylang.Expr, bool) (object.Buckets, error), params ...plylang.Param) *builtin {
	return &builtin{
		Func: plylang.Func{
			Name: name, Doc: doc,
			Params: append([]plylang.Param{argument}, params...),
			Infer: func(args []plylang.Expr) (*plylang.Type, error) {
				_, err := buckets(args, false)
				return nil, err
			},
		},
		agg: &aggregation{
			Values: object.Values{Shape: object.ShapeHistogram, Metrics: asHistogram, Reduce: object.ReduceSum, Total: true, StartsAtZero: true},
			words:  2, buckets: buckets, update: countInBucket,
		},
	}
}

// Buckets are those that the histogram of a checked script asks for.
func Buckets(m *plylang.Map) (object.Buckets, error) {
	return byName[m.Agg.Name].agg.buckets(m.Args, wide(m.Value))
}

// ValuesOf is what the values of a map are that the aggregation f feeds; a table
// where it is nil.
func ValuesOf(f *plylang.Func) object.Values {
	if f == nil {
		return object.Table
	}
	return byName[f.Name].agg.Values
}

// counted says whether a counter has counted; see object.Values.
func counted(_ uint64, value []byte) bool { return object.Word(value, 0) != 0 }

func addOne(g *gen, _ *object.Map, _ emit.Mem) {
	g.one(asm.R1)
	g.Atomic(asm.AddAtomic, asm.R7, 0, asm.R1)
}

func firstOne(g *gen, _ *object.Map, _, dst emit.Mem) { g.storeOne(dst) }

func addToSum(g *gen, m *object.Map, x emit.Mem) {
	g.addToTotal(m, x)
	if m.Marked() {
		g.markCell(asm.R7)
	}
}

func addToMean(g *gen, m *object.Map, x emit.Mem) {
	g.addToTotal(m, x)
	g.one(asm.R1)
	g.Atomic(asm.AddAtomic, asm.R7, 8, asm.R1)
}

func firstMean(g *gen, m *object.Map, x, dst emit.Mem) {
	firstTotal(g, m, x, dst)
	g.storeOne(dst.At(8, 8))
}

// countInBucket adds x to the sum of a histogram, and one to its bucket.
func countInBucket(g *gen, m *object.Map, x emit.Mem) {
	g.addToTotal(m, x)
	g.Load(asm.R1, x)
	g.bucket(m.Buckets, wide(m.Value))
	g.forget()
	outside := g.Label()
	g.Jump(asm.JGT, asm.R0, int32(m.Buckets.Len()-1), outside)
	g.Emit(
		asm.LSh.Imm(asm.R0, 3),
		asm.Add.Reg(asm.R7, asm.R0),
	)
	g.one(asm.R1)
	g.Atomic(asm.AddAtomic, asm.R7, 8, asm.R1)
	g.Bind(outside)
}
