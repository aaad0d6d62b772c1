package decode

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

func word(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func shown(display *plylang.Display) *plylang.Type {
	return &plylang.Type{Kind: plylang.Int, Size: 8, Signed: true, Display: display}
}

func TestText(t *testing.T) {
	d := New(NewMachine(nil), []string{"BEGIN", "tracepoint:sched/sched_switch"}, nil)
	reasons := plylang.NamedType(4, false, &plylang.Enumeration{Values: []plylang.Enumerator{
		{Name: "NO_SOCKET", Value: 3}, {Name: "SECOND_NAME", Value: 3},
	}})
	flags := plylang.NamedType(4, false, &plylang.Enumeration{Flags: true, Values: []plylang.Enumerator{
		{Name: "ABC", Value: 7}, {Name: "A", Value: 1}, {Name: "B", Value: 2}, {Name: "C", Value: 4}, {Name: "sign", Value: 8}, {Name: "none"},
	}})
	type text struct {
		display *plylang.Display
		want    string
	}
	seen := map[text][]byte{}
	for _, row := range []struct {
		typ  *plylang.Type
		raw  []byte
		want string
	}{
		{plylang.S64, word(-1), "-1"},
		{plylang.U64, word(-1), "18446744073709551615"},
		{plylang.U32, word(-1), "4294967295"},
		{plylang.S32, word(0xfffffffe), "-2"},
		{plylang.S8, word(0x80), "-128"},
		{&plylang.Type{Kind: plylang.Enum, Size: 4, Signed: true, Enum: &plylang.Enumeration{Values: []plylang.Enumerator{{Name: "a", Value: -1}}}}, word(-1), "-1"},
		{reasons, word(3), "NO_SOCKET"}, {reasons, word(0), "0"}, {reasons, word(0x30002), "196610"},
		{plylang.NamedType(1, true, &plylang.Enumeration{Values: []plylang.Enumerator{{Name: "a", Value: -1}}}), word(255), "a"},
		{flags, word(0), "none"}, {flags, word(1), "A"}, {flags, word(7), "ABC"}, {flags, word(6), "B|C"}, {flags, word(0x11), "A|0x10"},
		{flags, word(0x10), "16"}, {flags, word(0x80000001), "A|0x80000000"}, {flags, word(9), "A|sign"},
		{&plylang.Type{Kind: plylang.Bool, Size: 1}, word(1), "1"},
		{plylang.U16, word(0x12345), "9029"},
		{plylang.StringType(8), []byte("dd\x00junk!"), "dd"},
		{plylang.StringType(4), []byte("full"), "full"},
		{plylang.StringType(4), []byte{0xff, 'a', 0, 0}, "\xffa"},
		{&plylang.Type{Kind: plylang.Pointer, Size: 8}, word(0xbeef), "0xbeef"},
		{&plylang.Type{Kind: plylang.Bytes, Size: 3}, []byte{1, 2, 0xff}, "0x0102ff"},
		{shown(plylang.DisplayProbe), word(1), "tracepoint:sched/sched_switch"},
		{shown(plylang.DisplayProbe), word(7), "probe 7"},
		{shown(plylang.DisplayErrno), word(-2), "ENOENT"},
		{shown(plylang.DisplayErrno), word(2), "ENOENT"},
		{shown(plylang.DisplayErrno), word(13), "EACCES"},
		{shown(plylang.DisplayErrno), word(0), "OK"},
		{shown(plylang.DisplayErrno), word(-512), "ERESTARTSYS"},
		{shown(plylang.DisplayErrno), word(-524), "ENOTSUPP"},
		{shown(plylang.DisplayErrno), word(9999), "9999"},
		{shown(plylang.DisplaySignal), word(9), "SIGKILL"},
		{shown(plylang.DisplaySignal), word(0), "0"},
		{shown(plylang.DisplayInet), []byte{127, 0, 0, 1, 0, 0, 0, 0}, "127.0.0.1"},
		{shown(plylang.DisplayInet), append(make([]byte, 15), 1), "::1"},
		{shown(plylang.DisplayMAC), []byte{0, 0x1a, 0xff, 4, 5, 6, 0, 0}, "00:1a:ff:04:05:06"},
		{shown(plylang.DisplayHex), word(-1), "0xffffffffffffffff"},
		{&plylang.Type{Kind: plylang.Int, Size: 2, Signed: true, Display: plylang.DisplayHex}, word(-2), "0xfffe"},
		{shown(plylang.DisplayInterface), word(1), "lo"},
		{shown(plylang.DisplayInterface), word(1 << 30), "1073741824"},
		{shown(plylang.DisplayInterface), word(-1), "-1"},
		{shown(plylang.DisplayUser), word(0), "root"},
		{shown(plylang.DisplayUser), word(123456), "123456"},
		{shown(plylang.DisplayDevice), word(4000<<20 | 3), "4000:3"},
	} {
		if got := d.Text(object.Value{Type: row.typ, Raw: row.raw}); got != row.want {
			t.Errorf("Text(%+v, %x) = %q, want %q", *row.typ, row.raw, got, row.want)
		}
		if row.typ.Display == nil {
			continue
		}
		is := text{row.typ.Display, row.want}
		if other := seen[is]; other != nil && !SharesText(row.typ) {
			t.Errorf("%s: %x and %x are both %q, which SharesText does not say", is.display.Name, other, row.raw, row.want)
		}
		seen[is] = row.raw
	}
}

func TestJSONKeepsIntegersExact(t *testing.T) {
	d := New(NewMachine(nil), nil, nil)
	if got := d.JSON(object.Value{Type: plylang.U64, Raw: word(-1)}); got != uint64(1<<64-1) {
		t.Errorf("u64: %v", got)
	}
	if got := d.JSON(object.Value{Type: plylang.DurationT, Raw: word(1500)}); got != int64(1500) {
		t.Errorf("duration: %v", got)
	}
}

func TestScaled(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0ns", 512: "512ns", 999: "999ns", 1000: "1us", 1024: "1.02us", 1100: "1.1us", 10240: "10.2us",
		102400: "102us", 999_999: "999us", 1_048_576: "1.04ms", 2_500_000_000: "2.5s", 1<<40 - 1: "1099s",
		-1024: "-1.02us", -1 << 63: "-9223372036s",
	} {
		if got := Scaled(ns); got != want {
			t.Errorf("Scaled(%d) = %s, want %s", ns, got, want)
		}
	}
}

func TestReadDevices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "diskstats")
	text := " 254       0 vda 41028 214 1963270 31500\n 254       1 vda1 40946 214 1958350 31476\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	names := readDevices(file)
	if names[254<<20] != "vda" || names[254<<20|1] != "vda1" || len(names) != 2 {
		t.Errorf("readDevices: %v", names)
	}
}
