package plylang

import "testing"

// TestConstInt computes constant expressions as the language does.
func TestConstInt(t *testing.T) {
	tests := []struct {
		expr string
		want int64
	}{
		{"1 + 2 * 3", 7},
		{"(1 + 2) * 3", 9},
		{"7 - 10", -3},
		{"-7 / 2", -3},
		{"-7 % 2", -1},
		{"-1 >> 1", -1},
		{"18446744073709551615 >> 63", 1},
		{"18446744073709551615 / 2", 9223372036854775807},
		{"-1 / 18446744073709551615", 1},
		{"18446744073709551615", -1},
		{"-9223372036854775808 / -1", -9223372036854775808},
		{"-9223372036854775808 % -1", 0},
		{"1 << 63", -9223372036854775808},
		{"~0", -1},
		{"!5", 0},
		{"!0", 1},
		{"-(3)", -3},
		{"6 & 3", 2},
		{"6 | 3", 7},
		{"6 ^ 3", 5},
		{"1 < 2", 1},
		{"-1 < 0", 1},
		{"-1 < 18446744073709551615", 0},
		{"2 >= 3", 0},
		{"3 <= 3", 1},
		{"4 > 5", 0},
		{"4 == 4", 1},
		{"4 != 4", 0},
		{"2 && 3", 1},
		{"2 && 0", 0},
		{"0 || 2", 1},
		{"2 ^^ 3", 0},
		{"2 ^^ 0", 1},
		{"0 && pid", 0},
		{"1 || pid", 1},
		{"1 ? 5 : pid", 5},
		{"0 ? pid : 6", 6},
		{"(u8)300", 44},
		{"(s8)200", -56},
		{"(u32)-1", 4294967295},
		{"(u32)3 - 5", -2},
		{"(bool)7", 1},
		{"4Ki + 1", 4097},
		{"2ms / 1us", 2000},
		{"10ms % 3ms", 1000000},
		{"sizeof(\"abc\") * 2", 8},
		{"sizeof(u32)", 4},
		{"sizeof(struct task_struct)", 64},
		{"sizeof(struct task_struct *)", 8},
		{"$1 + $2", 58},
		{"$LIMIT", -5},
	}
	for _, test := range tests {
		x := checkedExpr(t, test.expr)
		if got, ok := ConstInt(x); !ok || got != test.want {
			t.Errorf("%s is %d, %v; want %d", test.expr, got, ok, test.want)
		}
	}
}

func TestNotConstant(t *testing.T) {
	for _, expr := range []string{
		"pid", "pid + 1", "1 + pid", "-pid", "pid && 0", "0 || pid", "pid ? 1 : 2", "log2(8)", "@x", "\"a\"", "*(u8 *)1",
	} {
		if v, ok := ConstInt(checkedExpr(t, expr)); ok {
			t.Errorf("%s is taken for the constant %d", expr, v)
		}
	}
}

// TestApplyByZero: a division by zero that is only known when the program runs
// gives what BPF gives, and so would the checker.
func TestApplyByZero(t *testing.T) {
	for _, unsigned := range []bool{false, true} {
		if got := apply(DIV, 7, 0, unsigned); got != 0 {
			t.Errorf("7 / 0 is %d", got)
		}
		if got := apply(MOD, 7, 0, unsigned); got != 7 {
			t.Errorf("7 %% 0 is %d", got)
		}
	}
}

// checkedExpr is an expression after Check.
func checkedExpr(t *testing.T, expr string) Expr {
	t.Helper()
	script := checked(t, "BEGIN { @x = 1; @y["+expr+"] = count(); }")
	return script.Maps[1].Uses[0].Keys[0]
}
