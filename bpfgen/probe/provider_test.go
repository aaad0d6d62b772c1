package probe

import (
	"fmt"
	"slices"
	"testing"

	"ply-exporter/plylang"
)

func TestFindProvider(t *testing.T) {
	for _, row := range []struct{ name, want string }{
		{"tracepoint", "tracepoint"},
		{"t", "tracepoint"},
		{"trace", "tracepoint"},
		{"trac", "tracepoint"},
		{"k", "kprobe"},
		{"kr", "kretprobe"},
		{"kret", "kretprobe"},
		{"p", "profile"},
		{"i", "interval"},
		{"BEGIN", "BEGIN"},
		{"kprob", "kprobe"},
	} {
		p, err := findProvider(row.name)
		if err != nil || p.Name != row.want {
			t.Errorf("%s: %v, %v, want %s", row.name, p, err, row.want)
		}
	}
}

func TestParseInterval(t *testing.T) {
	for _, row := range []struct{ target, want string }{
		{"1", "1s"},
		{"1s", "1s"},
		{"s:1", "1s"},
		{"250ms", "250ms"},
		{"ms:250", "250ms"},
		{"120s", "2m"},
		{"1h", "1h"},
		{"100us", "100us"},
		{"150000ns", "150us"},
		{"hz:4", "250ms"},
		{"0", "an interval of 0 has no meaning: use 100us or more"},
		{"99us", "an interval of 99µs is too short: use 100us or more"},
		{"10001hz", "10001hz is too fast: use 10000hz or less"},
		{"300y", `interval "300y" is no time: write interval:10ms, or interval:s:1; units are ns, us, ms, s, m, h and hz`},
		{"", `interval "" is no time: write interval:10ms, or interval:s:1; units are ns, us, ms, s, m, h and hz`},
		{"99999999999999h", "the interval is longer than 292 years"},
	} {
		d, err := parseInterval(row.target)
		got := intervalText(d)
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("interval:%s: %s, want %s", row.target, got, row.want)
		}
	}
}

func TestParseProfile(t *testing.T) {
	for _, row := range []struct{ target, want string }{
		{"99hz", "cpu -1 rate 99"},
		{"99", "cpu -1 rate 99"},
		{"1:49hz", "cpu 1 rate 49"},
		{"hz:99", "cpu -1 rate 99"},
		{"ms:10", `profile "ms:10" is no rate: write profile:100hz`},
		{"0hz", "a rate of 0 never fires: use 1hz or more"},
		{"20000hz", "20000hz is too fast: use 10000hz or less"},
		{"often", `profile "often" is no rate: write profile:99hz, or profile:0:99hz for CPU 0 only`},
		{"x:99", `profile "x:99" is no rate: write profile:99hz, or profile:0:99hz for CPU 0 only`},
	} {
		p, err := parseProfile(row.target)
		got := fmt.Sprintf("cpu %d rate %d", p.cpu, p.rate)
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("profile:%s: %s, want %s", row.target, got, row.want)
		}
	}
}

func TestParseFunction(t *testing.T) {
	for _, row := range []struct{ target, want string }{
		{"vfs_read", "{module: name:vfs_read offset:0 addr:0}"},
		{"vfs_read+4", "{module: name:vfs_read offset:4 addr:0}"},
		{"vfs_read+0x1f", "{module: name:vfs_read offset:31 addr:0}"},
		{"xfs:xfs_file_*", "{module:xfs name:xfs_file_* offset:0 addr:0}"},
		{"0xffffffff81000010", "{module: name: offset:0 addr:18446744071578845200}"},
		{"vfs_+(read|write)", "{module: name:vfs_+(read|write) offset:0 addr:0}"},
		{"vfs_read+x", `the offset in "vfs_read+x" is no number: write function+4 or function+0x1f`},
		{"vfs_*+4", `an offset goes with a single function, not with the glob "vfs_*"`},
		{"0xzz", `"0xzz" is no address: write up to 16 hexadecimal digits after 0x`},
		{"", `a function's name is missing in "": write kprobe:vfs_read`},
	} {
		f, err := parseFunction(row.target)
		got := fmt.Sprintf("%+v", f)
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%q: %s, want %s", row.target, got, row.want)
		}
	}
}

func TestRangesOf(t *testing.T) {
	for _, row := range []struct {
		numbers []int
		want    []callRange
	}{
		{[]int{7}, []callRange{{7, 7}}},
		{[]int{3, 1, 2}, []callRange{{1, 3}}},
		{[]int{0, 1, 2, 5, 8, 9}, []callRange{{0, 2}, {5, 5}, {8, 9}}},
		{[]int{4, 4, 5}, []callRange{{4, 5}}},
	} {
		if got := rangesOf(row.numbers); !slices.Equal(got, row.want) {
			t.Errorf("%v: %v, want %v", row.numbers, got, row.want)
		}
	}
}

// The table has a bit for each number of the ranges and for no other.
func TestBitsOf(t *testing.T) {
	ranges := []callRange{{0, 2}, {5, 5}, {7, 8}, {63, 64}, {295, 296}}
	table := bitsOf(ranges)
	if len(table) != 296/8+1 {
		t.Errorf("%d bytes", len(table))
	}
	for n := range int32(8 * len(table)) {
		want := slices.ContainsFunc(ranges, func(r callRange) bool { return r.lo <= n && n <= r.hi })
		if got := table[n/8]>>(n%8)&1 == 1; got != want {
			t.Errorf("%d: %t", n, got)
		}
	}
}

// TestForeignProviders: a word that has a meaning here is none of another language.
func TestForeignProviders(t *testing.T) {
	names := providerNames()
	for _, name := range names {
		if hint := plylang.ForeignProvider(name); hint != "" {
			t.Errorf("there is a provider %s, and yet the table says: %s", name, hint)
		}
	}
	for _, p := range providers {
		for _, v := range p.vars {
			names = append(append(names, v.Name), v.Aliases...)
		}
	}
	for _, name := range names {
		if hint := plylang.Foreign(name); hint != "" && name != "trace" {
			t.Errorf("there is %s, and yet the table says: %s", name, hint)
		}
	}
}
