package bpfgen

import (
	"bytes"
	"fmt"
	"testing"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/internal/live"
)

// Numbers of a key share words, at multiples of their size.
func TestKeyLayout(t *testing.T) {
	for _, row := range []struct {
		key  string
		want string // offsets of the components, size of the key
	}{
		{"1", "[0] 8"},
		{"pid", "[0] 8"},
		{"pid, tid", "[0 4] 8"},
		{"(u8)pid, (u16)pid, (s32)pid", "[0 2 4] 8"},
		{"(u8)pid, nsecs", "[0 8] 16"},
		{"1, 200, 300, 70000, -200", "[0 1 2 4 8] 16"},
		{"(s32)pid, comm, (u8)2, pid > 1", "[0 8 24 32] 40"},
		{"pid + 1, pid ? 1 : 2, pid", "[0 8 16] 24"},
		{"pid, tid, comm", "[0 4 8] 24"},
		{"str(0, 9), (u8)1", "[0 16] 24"},
		{"18446744073709551615, 1, (u64)9223372036854775808", "[0 8 16] 24"},
	} {
		o := compile(t, recorded(t, "6.18-amd64"), fmt.Sprintf("BEGIN { @[%s] = count(); }", row.key), Options{})
		m := o.Maps[0]
		offsets := []int{}
		for _, part := range m.Key {
			offsets = append(offsets, part.Offset)
		}
		if got := fmt.Sprint(offsets, m.KeySize); got != row.want {
			t.Errorf("@[%s] is %s, want %s", row.key, got, row.want)
		}
	}
}

// A number of which all bits are set is shown with the sign that the language gives it.
func TestKeySign(t *testing.T) {
	for key, want := range map[string]string{
		"18446744073709551615": "18446744073709551615",
		"(u64)-1":              "18446744073709551615",
		"-1":                   "-1",
		"(u16)-1":              "65535",
		"18446744073709551615] = count(); @[(s8)-1": "-1",
	} {
		o := compile(t, recorded(t, "6.18-amd64"), fmt.Sprintf("BEGIN { @[%s] = count(); }", key), Options{})
		part := o.Maps[0].Key[0]
		n := object.ReadInt(part.Type, bytes.Repeat([]byte{0xff}, 8))
		if got := emit.Pick(part.Type.Signed, fmt.Sprint(n), fmt.Sprint(uint64(n))); got != want {
			t.Errorf("@[%s] is shown as %s, want %s", key, got, want)
		}
	}
}

// A key is one element whatever the types of its numbers, and nothing else is left
// in it.
func TestPackedKeys(t *testing.T) {
	l := load(t, compile(t, live.Kernel(t), `BEGIN {
		m = 0-1; one = 1; seven = 7; big = 300;
		@wide[(s32)m, (u8)one, 9, (u16)seven, "x"] = count();
		@wide[(s16)m, (u8)(one + 256), 9, (u8)seven, "x"] = count();
		@wide[(s8)m, (u8)one, 9, (u16)(seven + 65536), "x"] = count();
		@wide[(s8)m, (u8)(one + 1), 9, (u16)seven, "x"] = count();
		@few[(u8)m, (s8)m, (u8)3] = count(); @few[(u8)(one + 510), (s8)255, (u8)3] = count();
		@sum[(u8)big + (u8)m, (u8)one] = count(); @sum[44 + 255, 1] = count();
		t[(s32)5, (u8)6] = 7; @read[t[(s16)5, (u8)6]] = count(); delete t[(s8)5, (u8)6]; @read[t[(s32)5, (u8)6]] = count();
	}`, Options{}))
	l.run(l.obj.Programs[0].Name)
	for _, row := range []struct {
		name string
		key  string
		want int64
	}{
		{"@wide", "\xff\xff\xff\xff\x01\x09\x07\x00" + "x\x00\x00\x00\x00\x00\x00\x00", 3},
		{"@wide", "\xff\xff\xff\xff\x02\x09\x07\x00" + "x\x00\x00\x00\x00\x00\x00\x00", 1},
		{"@few", "\xff\xff\x03\x00\x00\x00\x00\x00", 2},
		{"@sum", "\x2b\x01\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00", 2},
		{"@read", "\x07\x00\x00\x00\x00\x00\x00\x00", 1},
		{"@read", "\x00\x00\x00\x00\x00\x00\x00\x00", 1},
	} {
		value := l.read(l.mapNamed(row.name), []byte(row.key))
		if value == nil || l.number(row.name, value) != row.want {
			t.Errorf("%s[%q] is %v, want %d", row.name, row.key, value, row.want)
		}
	}
}
