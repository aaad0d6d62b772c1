package report

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
	"ply-exporter/tracer/decode"
)

// words are 64-bit numbers side by side.
func words(n ...int64) []byte {
	var b []byte
	for _, x := range n {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	return b
}

func text(s string, size int) []byte { return append([]byte(s), make([]byte, size-len(s))...) }

func keyed(aggregation string, value *plylang.Type, keys ...*plylang.Type) *object.Map {
	m := &object.Map{Map: &plylang.Map{Name: "@x", Keys: keys, Value: value}, Values: bpfgen.ValuesOf(bpfgen.Lookup(aggregation))}
	for _, k := range keys {
		m.Key = append(m.Key, object.KeyPart{Type: k, Offset: m.KeySize})
		m.KeySize += (k.Size + 7) / 8 * 8
	}
	return m
}

// halves is a histogram of the negative numbers, 0 to 1, 2 to 3, and up to
// 1023, and from 1024 on.
type halves struct{}

func (halves) Len() int { return 5 }

func (halves) Range(i int) (lo, hi *big.Int) {
	n := big.NewInt
	return []*big.Int{nil, n(0), n(2), n(4), n(1024)}[i], []*big.Int{n(-1), n(1), n(3), n(1023), nil}[i]
}

func histogram(keys ...*plylang.Type) *object.Map {
	m := keyed("quantize", plylang.S64, keys...)
	m.Buckets = halves{}
	return m
}

var cases = []struct {
	name string
	m    *object.Map
	rows []tracer.Row
	text string
	json string
}{
	{
		"counts by name, by value and then key",
		keyed("count", nil, plylang.StringType(16)),
		[]tracer.Row{
			{Key: text("write", 16), Value: words(7)},
			{Key: text("read", 16), Value: words(7)},
			{Key: text("a\xffb\n", 16), Value: words(12345678901)},
		},
		"\n@x:\nread                      7\nwrite                     7\na\\xffb\\x0a      12345678901\n",
		`{"type":"map","name":"@x","data":[{"key":["read"],"value":7},{"key":["write"],"value":7},{"key":["a\\xffb\n"],"value":12345678901}]}`,
	},
	{
		"control characters beyond ASCII",
		keyed("count", nil, plylang.StringType(8)),
		[]tracer.Row{{Key: text("é\u009b2J", 8), Value: words(1)}},
		"\n@x:\né\\xc2\\x9b2J            1\n",
		`{"type":"map","name":"@x","data":[{"key":["é` + "\u009b" + `2J"],"value":1}]}`,
	},
	{
		"several keys",
		keyed("", plylang.S64, plylang.StringType(8), plylang.U32),
		[]tracer.Row{{Key: append(text("dd", 8), words(3)...), Value: words(-42)}},
		"\n@x:\n[ dd, 3 ]            -42\n",
		`{"type":"map","name":"@x","data":[{"key":["dd",3],"value":-42}]}`,
	},
	{
		"no key",
		keyed("sum", plylang.S64),
		[]tracer.Row{{Value: words(-9, 0)}},
		"\n@x: -9\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":-9}]}`,
	},
	{
		"sums beyond 64 bits",
		keyed("sum", plylang.S64, plylang.S64),
		[]tracer.Row{{Key: words(1), Value: words(5, 1<<16)}, {Key: words(2), Value: words(-1, -1<<16)}, {Key: words(3), Value: words(9, 0)}},
		"\n@x:\n2               -18446744073709551617\n3                                   9\n1                18446744073709551621\n",
		`{"type":"map","name":"@x","data":[{"key":[2],"value":-18446744073709551617},{"key":[3],"value":9},{"key":[1],"value":18446744073709551621}]}`,
	},
	{
		"time beyond 64 bits",
		keyed("sum", plylang.DurationT),
		[]tracer.Row{{Value: words(0, 1<<16)}},
		"\n@x: 18446744073s\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":18446744073709551616}]}`,
	},
	{
		"empty",
		keyed("count", nil),
		nil,
		"\n@x:\n",
		`{"type":"map","name":"@x","data":[]}`,
	},
	{
		"average, with two decimals",
		keyed("avg", plylang.S64),
		[]tracer.Row{{Value: words(-10, 3, 0)}},
		"\n@x: -3.33\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":{"count":3,"sum":-10,"avg":-3.3333333333333335}}]}`,
	},
	{
		"average without a fraction",
		keyed("avg", plylang.U64),
		[]tracer.Row{{Value: words(300, 3, 0)}},
		"\n@x: 100\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":{"count":3,"sum":300,"avg":100}}]}`,
	},
	{
		"maximum of signed numbers",
		keyed("max", plylang.S64),
		[]tracer.Row{{Value: words(-5 ^ -1<<63)}},
		"\n@x: -5\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":-5}]}`,
	},
	{
		"histogram with a key, from the first to the last bucket in use",
		histogram(plylang.StringType(8)),
		[]tracer.Row{{Key: text("dd", 8), Value: words(70, 0, 2, 0, 4, 0, 0)}},
		"\n@x:\ndd\n" +
			"\t[   0,    1]\t       2 |####################                    |\n" +
			"\t[   2,    4)\t       0 |                                        |\n" +
			"\t[   4,   1k)\t       4 |########################################|\n",
		`{"type":"map","name":"@x","data":[{"key":["dd"],"value":{"count":6,"sum":70,"buckets":[{"min":0,"max":1,"count":2},{"min":4,"max":1023,"count":4}]}}]}`,
	},
	{
		"histogram with open ends",
		histogram(),
		[]tracer.Row{{Value: words(-3, 1, 0, 0, 0, 1, 0)}},
		"\n@x:\n" +
			"\t[ ...,    0)\t       1 |########################################|\n" +
			"\t[   0,    1]\t       0 |                                        |\n" +
			"\t[   2,    4)\t       0 |                                        |\n" +
			"\t[   4,   1k)\t       0 |                                        |\n" +
			"\t[  1k,  ...)\t       1 |########################################|\n",
		`{"type":"map","name":"@x","data":[{"key":[],"value":{"count":2,"sum":-3,"buckets":[{"max":-1,"count":1},{"min":1024,"count":1}]}}]}`,
	},
}

// pieces is a writer that counts in how many pieces it is written.
type pieces struct {
	bytes.Buffer
	n int
}

func (p *pieces) Write(b []byte) (int, error) {
	p.n++
	return p.Buffer.Write(b)
}

func TestMap(t *testing.T) {
	for _, c := range cases {
		d := decode.New(decode.NewMachine(nil), nil, nil)
		var b pieces
		NewText(&b, d, false).Map(c.m, c.rows)
		if b.String() != c.text {
			t.Errorf("%s: text is\n%s\nwant\n%s", c.name, b.String(), c.text)
		}
		b.Reset()
		NewJSON(&b, d).Map(c.m, c.rows)
		if b.String() != c.json+"\n" {
			t.Errorf("%s: JSON is\n%swant\n%s", c.name, b.String(), c.json)
		}
		if b.n > 2 { // one of text, one of JSON
			t.Errorf("%s: written in %d pieces", c.name, b.n)
		}
	}
}

// kernelStacks answer each id with the same addresses.
type kernelStacks []uint64

func (s kernelStacks) Stack(int64) []uint64         { return s }
func (kernelStacks) UserStack(int64) []object.Frame { return nil }
func (kernelStacks) LaterProbe(int64) string        { return "" }

// A stack is a line for each function, the innermost first.
func TestStackIsALineForEachFunction(t *testing.T) {
	k, err := kernel.Open(fstest.MapFS{"proc/kallsyms": {Data: []byte("1000 T vfs_read\n2000 T ksys_read\n3000 T end\n")}})
	if err != nil {
		t.Fatal(err)
	}
	d := decode.New(decode.NewMachine(k), nil, kernelStacks{0x1010, 0x2020})
	stack := &plylang.Type{Kind: plylang.Stack, Size: 8, Signed: true, Display: plylang.DisplayStack}
	const lines = "\tvfs_read\n\tksys_read\n"
	for _, row := range []struct {
		m     *object.Map
		key   []byte
		value []byte
		want  string
	}{
		{keyed("count", nil, stack), words(1), words(5), "\n" + lines + "                       5\n"},
		{keyed("count", nil, plylang.U64, stack), words(7, 1), words(5), "\n[ 7,\n" + lines + "]                      5\n"},
		{keyed("count", nil, stack, plylang.U64), words(1, 7), words(5), "\n[\n" + lines + ", 7 ]                  5\n"},
		{keyed("", stack, plylang.U64), words(7), words(1), "\n7\n" + lines},
		{histogram(stack), words(1), words(0, 0, 0, 0, 1, 0), "\n" + lines + "\t[   4,   1k)\t       1 |########################################|\n"},
	} {
		var b bytes.Buffer
		NewText(&b, d, false).Map(row.m, []tracer.Row{{Key: row.key, Value: row.value}})
		if want := "\n@x:" + row.want; b.String() != want {
			t.Errorf("got\n%q\nwant\n%q", b.String(), want)
		}
	}
	var b bytes.Buffer
	e := &object.Event{Args: []object.KeyPart{{Type: plylang.U64}, {Type: stack, Offset: 8}}}
	NewText(&b, d, false).Print(e, words(7, 1))
	if want := "7,\n" + lines; b.String() != want {
		t.Errorf("print: got %q, want %q", b.String(), want)
	}
}

// Two stacks that differ only by places within a function read the same.
func TestStacksThatReadTheSameAreOneRow(t *testing.T) {
	stack := &plylang.Type{Kind: plylang.Stack, Size: 8, Signed: true, Display: plylang.DisplayStack}
	d := decode.New(decode.NewMachine(nil), nil, nil) // every stack is "[no stack]"
	rows := func(a, b []byte) []tracer.Row {
		return []tracer.Row{{Key: words(1), Value: a}, {Key: words(2), Value: b}}
	}
	count, largest := keyed("count", nil, stack), keyed("max", plylang.U64, stack)
	for _, row := range []struct {
		m          *object.Map
		a, b       []byte
		want, json string
	}{
		{count, words(3), words(4), "[no stack]             7\n", `[{"key":[["[no stack]"]],"value":7}]`},
		{largest, words(3), words(4), "[no stack]             4\n", `[{"key":[["[no stack]"]],"value":4}]`},
		{keyed("", plylang.S64, stack), words(3), words(4), "[no stack]             3\n[no stack]             4\n",
			`[{"key":[["[no stack]"]],"value":3},{"key":[["[no stack]"]],"value":4}]`},
		{keyed("count", nil, plylang.S64), words(3), words(4), "1                      3\n2                      4\n", `[{"key":[1],"value":3},{"key":[2],"value":4}]`},
	} {
		var b bytes.Buffer
		NewText(&b, d, false).Map(row.m, rows(row.a, row.b))
		if want := "\n@x:\n" + row.want; b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
		b.Reset()
		NewJSON(&b, d).Map(row.m, rows(row.a, row.b))
		if want := `{"type":"map","name":"@x","data":` + row.json + "}\n"; b.String() != want {
			t.Errorf("got\n%s\nwant\n%s", b.String(), want)
		}
	}
}

func TestPrintfInJSONIsTheTextThatIsPrinted(t *testing.T) {
	e := &object.Event{Format: "a\xff %s\n"}
	e.Args = []object.KeyPart{{Type: plylang.StringType(8)}}
	var b bytes.Buffer
	NewJSON(&b, decode.New(decode.NewMachine(nil), nil, nil)).Printf(e, text("x\xff", 8))
	if want := `{"type":"printf","data":"a\\xff x\\xff\n"}` + "\n"; b.String() != want {
		t.Errorf("got %s want %s", b.String(), want)
	}
}

func TestDurationsHaveTimesAsBounds(t *testing.T) {
	m := histogram()
	m.Value = plylang.DurationT
	var b bytes.Buffer
	NewText(&b, decode.New(decode.NewMachine(nil), nil, nil), false).Map(m, []tracer.Row{{Value: words(9, 0, 0, 0, 1, 0)}})
	want := "\n@x:\n\t[   4ns, 1.02us)\t       1 |########################################|\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestBar(t *testing.T) {
	for _, row := range []struct {
		count, largest uint64
		blocks         bool
		want           string
	}{
		{1, 1, true, "████████████████████████████████████████"},
		{1, 320, true, "▏                                       "},
		{1, 1 << 60, true, "                                        "},
		{1, 40, false, "#                                       "},
	} {
		if got := bar(row.count, row.largest, row.blocks); got != row.want {
			t.Errorf("bar(%d, %d, %v) = %q, want %q", row.count, row.largest, row.blocks, got, row.want)
		}
	}
}
