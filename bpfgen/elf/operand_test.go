package elf

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// String writes an operand in one way for all machines, to compare with.
func (o Operand) String() string {
	if o.Err != nil {
		return "error: " + o.Err.Error()
	}
	s := map[bool]string{false: "u", true: "i"}[o.Signed]
	if o.Float {
		s = "f"
	}
	s += fmt.Sprint(8*o.Size) + " "
	sum := o.Register
	if o.symbol != "" {
		sum += "&" + o.symbol
		if o.got {
			sum += "@got"
		}
	}
	if o.Index != "" {
		sum += fmt.Sprintf("+%d*%s:%d", o.Scale, o.Index, o.IndexSize)
		if o.IndexSigned {
			sum += "s"
		}
	}
	if o.Value != 0 || sum == "" {
		sum += fmt.Sprintf("%+d", o.Value)
	}
	if o.Shift != 0 {
		sum += fmt.Sprintf(">>%d", o.Shift)
	}
	if o.Kind == Memory {
		sum = "[" + sum + "]"
	}
	if o.Kind == Address {
		sum = "address " + sum
	}
	return s + sum
}

func TestOperands(t *testing.T) {
	tests := []struct {
		machine    Machine
		text, want string
	}{
		{AMD64, "8@%rax", "u64 rax"},
		{AMD64, "-4@%eax", "i32 rax"},
		{AMD64, "4@%rdi", "u32 rdi"},
		{AMD64, "8@%eax", "u32 rax"}, // no more than the register has
		{AMD64, "2@%ax", "u16 rax"},
		{AMD64, "1@%al", "u8 rax"},
		{AMD64, "-1@%ah", "i8 rax>>8"},
		{AMD64, "1@%bh", "u8 rbx>>8"},
		{AMD64, "1@%sil", "u8 rsi"},
		{AMD64, "1@%bpl", "u8 rbp"},
		{AMD64, "-4@%r8d", "i32 r8"},
		{AMD64, "2@%r15w", "u16 r15"},
		{AMD64, "1@%r9b", "u8 r9"},
		{AMD64, "8@%r10", "u64 r10"},
		{AMD64, "8f@%r11", "f64 r11"},
		{AMD64, "4f@%eax", "f32 rax"},
		{AMD64, "8@%xmm0", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, "8f@%ymm15", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, "8f@%st(1)", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, "8@%k1", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, "8@%cr3", "error: is in a register %cr3 that is not known"},
		{AMD64, "8@%", "error: is in a register % that is not known"},
		{AMD64, "-4@$1", "i32 +1"},
		{AMD64, "1@$0", "u8 +0"},
		{AMD64, "-4@$-1", "i32 -1"},
		{AMD64, "8@$0x10", "u64 +16"},
		{AMD64, "-8@$81985529216486895", "i64 +81985529216486895"},
		{AMD64, "8@$18446744073709551615", "u64 -1"},
		{AMD64, "8@$18446744073709551616", "error: has a form that is not known"},
		{AMD64, "8f@$1", "error: is a constant for a floating-point number"},
		{AMD64, "8@$", "error: has a form that is not known"},
		{AMD64, "8@(%rsp)", "u64 [rsp]"},
		{AMD64, "8@152(%rdi)", "u64 [rdi+152]"},
		{AMD64, "-4@-20(%rbp)", "i32 [rbp-20]"},
		{AMD64, "8@0x18(%rbx)", "u64 [rbx+24]"},
		{AMD64, "-1@(%r8,%rax)", "i8 [r8+1*rax:8]"},
		{AMD64, "8@16(%rax,%rbx,8)", "u64 [rax+8*rbx:8+16]"},
		{AMD64, "8@(%rax, %rbx, 4)", "u64 [rax+4*rbx:8]"},
		{AMD64, "4@12(,%rbx,4)", "u32 [+4*rbx:8+12]"},
		{AMD64, "8@(%eax)", "error: is at an address in %eax, which has 4 bytes"},
		{AMD64, "8@(%rax,%ebx)", "error: is at an address in %ebx, which has 4 bytes"},
		{AMD64, "8@(%rax,%rbx,3)", "error: has a form that is not known"},
		{AMD64, "8@(%rax,%rbx,4,5)", "error: has a form that is not known"},
		{AMD64, "8@(rax)", "error: has a form that is not known"},
		{AMD64, "8@()", "error: has a form that is not known"},
		{AMD64, "8@8(%rax", "error: has a form that is not known"},
		{AMD64, "8@(%xmm1)", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{AMD64, "8@8(%rip)", "error: has a form that is not known"},
		{AMD64, "4@counter(%rip)", "u32 [rip&counter]"},
		{AMD64, "4@counter+8(%rip)", "u32 [rip&counter+8]"},
		{AMD64, "4@40+counter(%rip)", "u32 [rip&counter+40]"},
		{AMD64, "4@-40+counter(%rip)", "u32 [rip&counter-40]"},
		{AMD64, "4@4+counter+8(%rip)", "u32 [rip&counter+12]"},
		{AMD64, "4@counter-8(%rip)", "u32 [rip&counter-8]"},
		{AMD64, "-4@counter.1234(%rip)", "i32 [rip&counter.1234]"},
		{AMD64, "4f@.LC0(%rip)", "f32 [rip&.LC0]"},
		{AMD64, "8@gs@GOTPCREL(%rip)", "u64 [rip&gs@got]"},
		{AMD64, "8@gs@TPOFF(%rip)", "error: has a form that is not known"},
		{AMD64, "4@counter", "u32 [&counter]"},
		{AMD64, "8@$counter", "u64 address &counter"},
		{AMD64, "8@$counter+4", "u64 address &counter+4"},
		{AMD64, "8@table(,%rax,8)", "u64 [&table+8*rax:8]"},
		{AMD64, "8@4202512", "u64 [+4202512]"},
		{AMD64, "8@%fs:-8", "error: is in memory of the segment %fs, whose beginning the kernel does not show"},
		{AMD64, "8@%gs:40(%rax)", "error: is in memory of the segment %gs, whose beginning the kernel does not show"},
		{AMD64, "16f@8(%rsp)", "error: has 16 bytes: only 1, 2, 4 and 8 can be read"},
		{AMD64, "-16@%rax", "error: has 16 bytes: only 1, 2, 4 and 8 can be read"},
		{AMD64, "3@%rax", "error: has 3 bytes: only 1, 2, 4 and 8 can be read"},
		{AMD64, "0@%rax", "error: has 0 bytes: only 1, 2, 4 and 8 can be read"},
		{AMD64, "2f@%ax", "error: is a floating-point number of 2 bytes"},
		{AMD64, "f@%rax", `error: has "" instead of a size`},
		{AMD64, "x@%rax", `error: has "x" instead of a size`},
		{AMD64, "99999999999@%rax", `error: has "99999999999" instead of a size`},
		{AMD64, "%rax", "error: has no size"},
		{AMD64, "8@", "error: has a form that is not known"},
		{AMD64, "@", `error: has "" instead of a size`},

		{ARM64, "8@x0", "u64 x0"},
		{ARM64, "-4@x19", "i32 x19"},
		{ARM64, "8@w0", "u32 x0"},
		{ARM64, "-4@w3", "i32 x3"},
		{ARM64, "8@sp", "u64 sp"},
		{ARM64, "8@fp", "u64 x29"},
		{ARM64, "8@x30", "u64 x30"},
		{ARM64, "8@xzr", "u64 +0"},
		{ARM64, "4@wzr", "u32 +0"},
		{ARM64, "-4@5", "i32 +5"},
		{ARM64, "-4@-1", "i32 -1"},
		{ARM64, "-4@#5", "i32 +5"},
		{ARM64, "8@[x0]", "u64 [x0]"},
		{ARM64, "8@[sp, 12]", "u64 [sp+12]"},
		{ARM64, "-4@[x29, -20]", "i32 [x29-20]"},
		{ARM64, "8@[x1,#8]", "u64 [x1+8]"},
		{ARM64, "8@[x0, x1]", "u64 [x0+1*x1:8]"},
		{ARM64, "8@[x0, x1, lsl 3]", "u64 [x0+8*x1:8]"},
		{ARM64, "8@[x0, x1, lsl #3]", "u64 [x0+8*x1:8]"},
		{ARM64, "4@[x0, w1, uxtw 2]", "u32 [x0+4*x1:4]"},
		{ARM64, "4@[x0, w1, sxtw]", "u32 [x0+1*x1:4s]"},
		{ARM64, "4@[x0, w1, sxtw 2]", "u32 [x0+4*x1:4s]"},
		{ARM64, "4@[x0, x1, sxtw 2]", "error: has a form that is not known"},
		{ARM64, "4@[x0, w1]", "error: has a form that is not known"},
		{ARM64, "4@[x0, x1, lsl 5]", "error: has a form that is not known"},
		{ARM64, "4@[x0, xzr]", "error: has a form that is not known"},
		{ARM64, "4@[x0, x1, lsl, 3]", "error: has a form that is not known"},
		{ARM64, "4@[x0, :lo12:counter]", "error: has a form that is not known"},
		{ARM64, "4@[w0]", "error: has a form that is not known"},
		{ARM64, "4@[xzr]", "error: has a form that is not known"},
		{ARM64, "4@[]", "error: has a form that is not known"},
		{ARM64, "4@[x0", "error: has a form that is not known"},
		{ARM64, "4@x31", "error: has a form that is not known"},
		{ARM64, "4@y1", "error: has a form that is not known"},
		{ARM64, "4@", "error: has a form that is not known"},
		{ARM64, "8f@d0", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{ARM64, "8f@v7", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{ARM64, "8f@x7", "f64 x7"},

		{RISCV64, "8@a0", "u64 a0"},
		{RISCV64, "-4@s11", "i32 s11"},
		{RISCV64, "8@fp", "u64 s0"},
		{RISCV64, "8@x10", "u64 a0"},
		{RISCV64, "8@zero", "u64 +0"},
		{RISCV64, "8@x0", "u64 +0"},
		{RISCV64, "-4@-20(s0)", "i32 [s0-20]"},
		{RISCV64, "8@0(a0)", "u64 [a0]"},
		{RISCV64, "8@(sp)", "u64 [sp]"},
		{RISCV64, "-4@5", "i32 +5"},
		{RISCV64, "-8@-1", "i64 -1"},
		{RISCV64, "8f@fa0", "error: is in a register for vectors and floating-point numbers, which the kernel does not show"},
		{RISCV64, "8f@a0", "f64 a0"},
		{RISCV64, "8@a8", "error: has a form that is not known"},
		{RISCV64, "8@x32", "error: has a form that is not known"},
		{RISCV64, "8@%lo(counter)(a0)", "error: has a form that is not known"},
		{RISCV64, "8@0(a0", "error: has a form that is not known"},
		{RISCV64, "8@0(zero)", "error: has a form that is not known"},
		{22, "8@%r1", "error: has a form that is not known"},
	}
	for _, tt := range tests {
		if got := parseOperand(tt.machine, tt.text).String(); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.machine, tt.text, got, tt.want)
		}
	}
}

func TestSplitOperands(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{"  ", nil},
		{"8@%rax", []string{"8@%rax"}},
		{" 8@%rax  -4@$1 ", []string{"8@%rax", "-4@$1"}},
		{"8@[sp, 12] -4@[x0, x1, lsl 3] 4@5", []string{"8@[sp, 12]", "-4@[x0, x1, lsl 3]", "4@5"}},
		{"8@(%rax, %rbx) 1@%al", []string{"8@(%rax, %rbx)", "1@%al"}},
		{"8@[sp, 12", []string{"8@[sp, 12"}},
		{"8@sp] 4@5", []string{"8@sp]", "4@5"}},
		{strings.Repeat("x ", 100), slices.Repeat([]string{"x"}, maxOperands)},
	}
	for _, tt := range tests {
		if got := splitOperands(tt.text); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

// Every operand of the packages recorded is read, and what was read says
// everything that was written.
func TestRecordedOperands(t *testing.T) {
	text, err := os.ReadFile("testdata/operands.txt")
	if err != nil {
		t.Fatal(err)
	}
	machines := map[string]Machine{"amd64": AMD64, "arm64": ARM64, "riscv64": RISCV64}
	var machine Machine
	n := map[Machine]int{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if heading, ok := strings.CutPrefix(line, "== "); ok {
			machine = machines[strings.Fields(heading)[0]]
		} else if line[0] != '#' {
			n[machine]++
			if got := written(machine, parseOperand(machine, line)); got != strings.Replace(line, "@0(%", "@(%", 1) {
				t.Errorf("%s %s: %s", machine, line, got)
			}
		}
	}
	if n[AMD64] < 200 || n[ARM64] < 70 || n[RISCV64] < 50 {
		t.Errorf("only %v operands", n)
	}
}

// written writes an operand as compilers do.
func written(m Machine, o Operand) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	size := fmt.Sprint(o.Size)
	if o.Float {
		size += "f"
	}
	if o.Signed {
		size = "-" + size
	}
	value := ""
	if o.Value != 0 {
		value = fmt.Sprint(o.Value)
	}
	switch {
	case o.Kind == Constant && m == AMD64:
		return fmt.Sprintf("%s@$%d", size, o.Value)
	case o.Kind == Constant:
		return fmt.Sprintf("%s@%d", size, o.Value)
	case o.Kind == Register && m == AMD64:
		return size + "@%" + partName(o)
	case o.Kind == Register:
		return size + "@" + o.Register
	case m == ARM64 && value == "":
		return fmt.Sprintf("%s@[%s]", size, o.Register)
	case m == ARM64:
		return fmt.Sprintf("%s@[%s, %s]", size, o.Register, value)
	case m == RISCV64:
		return fmt.Sprintf("%s@%d(%s)", size, o.Value, o.Register)
	case o.Register == "rip" || o.symbol != "":
		return fmt.Sprintf("%s@%s(%%rip)", size, strings.TrimPrefix(value+"+"+o.symbol, "+"))
	case o.Index != "" && o.Scale == 1:
		return fmt.Sprintf("%s@%s(%%%s,%%%s)", size, value, o.Register, o.Index)
	case o.Index != "":
		return fmt.Sprintf("%s@%s(%%%s,%%%s,%d)", size, value, o.Register, o.Index, o.Scale)
	}
	return fmt.Sprintf("%s@%s(%%%s)", size, value, o.Register)
}

// partName is the name of a part of a register that has the operand's size.
func partName(o Operand) string {
	for name, r := range x86Registers {
		if r.name == o.Register && r.size == o.Size && r.shift == o.Shift {
			return name
		}
	}
	return "?"
}
