package probe

import (
	"errors"
	"testing"

	"ply-exporter/bpfgen/elf"
)

// An argument may be missing at a place, though others have it.
func TestOperandAt(t *testing.T) {
	word, hidden := elf.Operand{Kind: elf.Register, Register: "rbx"}, errors.New("hidden")
	place := elf.Place{Address: 0x40, Args: []elf.Operand{word, {Err: hidden}}}
	for _, row := range []struct {
		i    int
		arg  elf.Argument
		want string
	}{
		{0, elf.Argument{}, ""},
		{1, elf.Argument{}, "hidden"},
		{2, elf.Argument{}, "is missing at 0x40, one of its places"},
		{2, elf.Argument{Err: errors.New("everywhere")}, "everywhere"},
		{0, elf.Argument{Type: elf.Type{Size: 8, Float: true}}, "is a floating-point number, which has no type in the language"},
	} {
		o, err := operandAt(place, row.i, row.arg)
		if got := errorText(err); got != row.want || err == nil && o.Register != "rbx" {
			t.Errorf("%d, %+v: %+v, %q, want %q", row.i, row.arg, o, got, row.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
