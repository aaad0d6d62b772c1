package bpfgen

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// A row is an expression and its value.
type row struct {
	expr string
	want int64
}

// runRows evaluates all rows in one program, each into a key of its own.
func runRows(t *testing.T, prelude string, rows []row) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN {\n%s\n", prelude)
	for i, r := range rows {
		fmt.Fprintf(&b, "@r[%d] = %s;\n", i, r.expr)
	}
	b.WriteString("}\n")
	l := begin(t, b.String())
	for i, r := range rows {
		if got := l.word("@r", int64(i)); got != r.want {
			t.Errorf("%s is %d, want %d", r.expr, got, r.want)
		}
	}
}

func TestArithmetic(t *testing.T) {
	runRows(t, `m7 = 0-7; p7 = 7; two = 2; z = 0; one = 1; m1 = 0-1;
		small = -9223372036854775808; big = 0xffffffffffffffff; sixty = 65;`, []row{
		{"m7 / two", -3}, {"p7 / two", 3}, {"m7 / (0-two)", 3}, {"p7 / (0-two)", -3},
		{"m7 % two", -1}, {"p7 % two", 1}, {"m7 % (0-two)", -1}, {"p7 % (0-two)", 1},
		{"m7 / 2", -3}, {"m7 % 2", -1}, {"m7 / z", 0}, {"m7 % z", -7}, {"p7 % z", 7},
		{"small / m1", math.MinInt64}, {"small % m1", 0}, {"small / one", math.MinInt64},
		{"big / two", math.MaxInt64}, {"big % 10", 5}, {"big / z", 0}, {"big % z", -1},
		{"m1 >> one", -1}, {"big >> one", math.MaxInt64}, {"m1 >> 63", -1}, {"big >> 63", 1},
		{"one << sixty", 2}, {"m7 >> sixty", -4}, {"one << 63", math.MinInt64},
		{"p7 + m7", 0}, {"p7 - m7", 14}, {"p7 * m7", -49}, {"small - one", math.MaxInt64},
		{"p7 & 5", 5}, {"p7 | 8", 15}, {"p7 ^ m1", -8}, {"~p7", -8}, {"-m7", 7}, {"-small", math.MinInt64},
		{"p7 + 0x100000000", 0x100000007}, {"0x7fffffffffffffff + one", math.MinInt64},
		{"2 + 3 * 4", 14}, {"(p7 + 3) * (two + 1) - 4", 26}, {"p7 - 2 - 1", 4},
		{"(p7 * two) + (p7 * (two + (one * p7)))", 77},
	})
}

func TestComparisons(t *testing.T) {
	runRows(t, `m1 = 0-1; z = 0; one = 1; big = 0xffffffffffffffff; x = 0x100000000;`, []row{
		{"m1 < one", 1}, {"one < m1", 0}, {"m1 <= m1", 1}, {"m1 >= one", 0}, {"one > m1", 1},
		{"big < 1", 0}, {"big > one", 1}, {"m1 < big", 0}, {"m1 == big", 1}, {"x > 0xffffffff", 1},
		{"x == 0x100000000", 1}, {"x != 0x100000000", 0}, {"m1 < -0x100000000", 0},
		{"one && m1", 1}, {"one && z", 0}, {"z && one", 0}, {"z || one", 1}, {"z || z", 0}, {"one || z", 1},
		{"one ^^ m1", 0}, {"one ^^ z", 1}, {"z ^^ z", 0}, {"!one", 0}, {"!z", 1}, {"!!m1", 1},
		{"!(one && z)", 1}, {"!(one || z)", 0}, {"(one && z) || (m1 && one)", 1},
		{"one ? 5 : 6", 5}, {"z ? 5 : 6", 6}, {"m1 < 0 ? (z ? 1 : 2) : 3", 2},
		{"(one < 2) + (one < 3)", 2}, {"(one && m1) * 10 + (z || z)", 10},
		{"one == 1 && (z == 0 || m1 == 5)", 1}, {"!(m1 < 0) || z", 0},
	})
}

func TestCasts(t *testing.T) {
	runRows(t, `m1 = 0-1; x = 0x123456789abcdef0; f = 0x80;`, []row{
		{"(u8)m1", 255}, {"(s8)f", -128}, {"(s8)m1", -1}, {"(u16)m1", 65535}, {"(s16)x", -8464},
		{"(u32)m1", math.MaxUint32}, {"(s32)x", -1698898192}, {"(u32)x", 0x9abcdef0}, {"(u64)m1 > 5", 1},
		{"(u32)3 - 5", -2}, {"(u8)x + (u8)f", 0xf0 + 0x80}, {"(int)m1", -1}, {"(u64)m1 / 2", math.MaxInt64},
		{"sizeof(1)", 8}, {`sizeof("abc")`, 4}, {"sizeof((u16)m1)", 2}, {"sizeof(comm)", 16},
	})
}

func TestNumberFunctions(t *testing.T) {
	runRows(t, `m5 = 0-5; z = 0; x = 4096; big = 0xffffffffffffffff;`, []row{
		{"log2(z)", 0}, {"log2(m5)", -1}, {"log2(x)", 12}, {"log2(x - 1)", 11}, {"log2(big)", 63}, {"log2(1)", 0},
		{"log2(0x7fffffffffffffff - z)", 62}, {"abs(m5)", 5}, {"abs(x)", 4096},
		{"rand != rand || rand != rand", 1}, {"secs > 0", 1}, {"time - time <= 0", 1}, {"cpu < 4096", 1},
		{"pid == tgid", 1}, {"tid == kpid", 1}, {"uid", 0}, {"gid", 0}, {"pid > 0 && tid > 0", 1},
		{"nsecs > 0", 1}, {"walltime / 1000000000 - 1700000000 > 0", 1}, {"errno(5) == 5", 1}, {"probe == 0", 1}, {"ppid > 0 && ppid != pid", 1},
		{"curtask->pid == tid", 1}, {"curtask->real_parent->tgid == ppid", 1}, {"curtask->comm == comm", 1},
		{"((struct task_struct *)0)->pid", 0}, {"*(u32 *)0", 0}, {"curtask->group_leader->tgid == pid", 1},
		{"numaid < 1024", 1}, {"cgroup > 0", 1}, {"kptr(curtask) == curtask", 1}, {"*(u8 *)uptr(curtask)", 0},
	})
}

func TestStrings(t *testing.T) {
	runRows(t, `a = "abc"; b = "abcdefghij"; e = ""; a2 = a; long = "0123456789012345678901234567890123456789";`, []row{
		{`a == "abc"`, 1}, {`a != "abc"`, 0}, {`a == b`, 0}, {`a == a2`, 1}, {`e == ""`, 1}, {`a == ""`, 0},
		{`b == "abcdefghij"`, 1}, {`b == "abcdefghik"`, 0}, {`"abc" == a`, 1}, {`a != b`, 1}, {`e == a`, 0},
		{`strcmp(a, b) < 0`, 1}, {`strcmp(b, a) > 0`, 1}, {`strcmp(a, a2)`, 0}, {`strcmp("\xff", "a") > 0`, 1},
		{`strcmp("b", "abcdefghijkl") > 0`, 1}, {`strcmp(e, "") `, 0},
		{`strncmp(a, b, 3)`, 0}, {`strncmp(a, b, 4) < 0`, 1}, {`strncmp(b, "abcdefghiX", 9)`, 0}, {`strncmp(a, b, 0)`, 0},
		{`strncmp(b, "abcdefghiX", 10) > 0`, 1},
		{`strlen(a)`, 3}, {`strlen(b)`, 10}, {`strlen(e)`, 0}, {`strlen(long)`, 40}, {`strlen("12345678")`, 8},
		{`startswith(b, "abc")`, 1}, {`startswith(b, "abd")`, 0}, {`startswith(a, "abcd")`, 0}, {`startswith(a, "")`, 1},
		{`a ? 1 : 2`, 1}, {`e ? 1 : 2`, 2}, {`!e`, 1}, {`a && b`, 1}, {`(1 < 2 ? a : b) == "abc"`, 1},
		{`comm == "bpfgen.test"`, 1}, {`strlen(comm)`, 11}, {`str(comm, 3) == "bpf"`, 1},
		{`str(curtask->comm) == comm`, 1}, {`str(curtask->comm, 4) == "bpfg"`, 1},
		{`strcmp(str(0), "")`, 0}, {`str(0) == ""`, 1}, {`str(0, strlen(b)) == ""`, 1},
		{`str(b, strlen(a)) == a`, 1}, {`strlen(str(long, strlen(long) - 7))`, 33}, {`str(b, -strlen(a)) == ""`, 1},
	})
}
