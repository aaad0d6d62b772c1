package kernel

import (
	"fmt"
	"strings"
	"testing"
)

// format is a format file with the given fields.
func format(fields ...string) string {
	return "name: test\nID: 7\nformat:\n" +
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\t" +
		strings.Join(fields, "\n\t") + "\n\nprint fmt: \"field:%d\", REC->x\n"
}

func TestField(t *testing.T) {
	tests := []struct{ text, want string }{
		{
			"field:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;",
			"pid at 24: pid_t, 4 signed",
		},
		{
			"field:int fd;\toffset:16;\tsize:8;\tsigned:0;", // an argument of a system call
			"fd at 16: int, 4 signed",
		},
		{
			"field:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;",
			"mode at 40: umode_t, 2",
		},
		{
			"field:const clockid_t which;\toffset:16;\tsize:8;\tsigned:0;",
			"which at 16: const clockid_t, 4 signed",
		},
		{
			"field:enum landlock_rule_type type;\toffset:24;\tsize:8;\tsigned:0;",
			"type at 24: enum landlock_rule_type, 4",
		},
		{
			"field:enum zone_type type;\toffset:8;\tsize:4;\tsigned:0;",
			"type at 8: enum zone_type, 4",
		},
		{
			"field:xfs_ino_t ino;\toffset:16;\tsize:8;\tsigned:0;", // the slot tells
			"ino at 16: xfs_ino_t, 8",
		},
		{
			"field:unsigned long long v;\toffset:8;\tsize:8;\tsigned:0;",
			"v at 8: unsigned long long, 8",
		},
		{
			"field:bool ack;\toffset:106;\tsize:1;\tsigned:0;",
			"ack at 106: bool, 1",
		},
		{
			"field:const char * filename;\toffset:24;\tsize:8;\tsigned:0;",
			"filename at 24: const char *, pointer",
		},
		{
			"field:const char *const * argv;\toffset:24;\tsize:8;\tsigned:0;",
			"argv at 24: const char *const *, pointer",
		},
		{
			"field:void (*fn)(struct work_struct *);\toffset:8;\tsize:8;\tsigned:0;",
			"fn at 8: void (*)(struct work_struct *), pointer",
		},
		{
			"field:char comm[16];\toffset:8;\tsize:16;\tsigned:0;",
			"comm at 8: char[16], 16 of char in 1",
		},
		{
			"field:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;",
			"args at 16: unsigned long[6], 6 of unsigned long in 8",
		},
		{
			"field:char comm[TASK_COMM_LEN];\toffset:8;\tsize:16;\tsigned:0;",
			"comm at 8: char[TASK_COMM_LEN], 16 of char in 1",
		},
		{
			"field:u32 buf[];\toffset:16;\tsize:0;\tsigned:0;", // up to the record's end
			"buf at 16: u32[], 0 of u32 in 4",
		},
		{
			"field:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;",
			"name at 8: __data_loc char[], dynamic char in 1",
		},
		{
			"field:__rel_loc u8[] data;\toffset:8;\tsize:4;\tsigned:0;",
			"data at 8: __rel_loc u8[], relative u8 in 1",
		},
	}
	for _, tt := range tests {
		f, err := parseFormat(strings.NewReader(format(tt.text)))
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := describe(f.Fields[1]); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// describe says what a script would read.
func describe(f Field) string {
	head := fmt.Sprintf("%s at %d: %s, ", f.Name, f.Offset, f.CType)
	switch {
	case f.DataLoc:
		return fmt.Sprintf("%sdynamic %s in %d", head, f.Elem, f.ElemSize)
	case f.RelLoc:
		return fmt.Sprintf("%srelative %s in %d", head, f.Elem, f.ElemSize)
	case f.Array:
		return fmt.Sprintf("%s%d of %s in %d", head, f.Len, f.Elem, f.ElemSize)
	case f.Pointer:
		return head + "pointer"
	}
	size, signed := f.Scalar()
	if signed {
		return fmt.Sprintf("%s%d signed", head, size)
	}
	return fmt.Sprintf("%s%d", head, size)
}

func TestFormat(t *testing.T) {
	f, err := parseFormat(strings.NewReader(format("field:int x;\toffset:8;\tsize:4;\tsigned:1;")))
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "test" || f.ID != 7 || len(f.Fields) != 2 {
		t.Errorf("format is %+v", f)
	}
	if !f.Field("common_type").Common || f.Field("x").Common || f.Field("y") != nil {
		t.Errorf("fields are %+v", f.Fields)
	}
}

func TestFormatErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "format: has no ID"},
		{"ID: x\n", `format: "ID: x" is not a number`},
		{format("field:int;\toffset:8;\tsize:4;\tsigned:1;"), "is not a declaration"},
		{format("field:int x;\toffset:8;\tsize:4;"), "offset, size or signed is missing"},
		{format("field:int x;\toffset:8;\tsize:-4;\tsigned:1;"), `size is "-4", not a number`},
	}
	for _, tt := range tests {
		if _, err := parseFormat(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// Whatever is in the file: no panic, and no field without a name and a type.
func FuzzFormat(f *testing.F) {
	f.Add(format("field:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;"))
	f.Add(format("field:void (*fn)(int);\toffset:8;\tsize:8;\tsigned:0;"))
	f.Add(format("field:char c[0];\toffset:8;\tsize:0;\tsigned:0;", "field:int [2];\toffset:;"))
	f.Fuzz(func(t *testing.T, text string) {
		format, err := parseFormat(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, field := range format.Fields {
			size, _ := field.Scalar()
			if field.Name == "" || field.CType == "" || field.Offset < 0 || field.Len < 0 || size < 0 || size > field.Size {
				t.Errorf("field %+v", field)
			}
		}
	})
}
