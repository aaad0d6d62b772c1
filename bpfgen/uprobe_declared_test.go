package bpfgen_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// callDeclared calls the functions of a library with debug information, whose source is
// elf/testdata/parameters.c, 100 times each.
const callDeclared = `
import ctypes, sys
from ctypes import *
class Node(Structure): pass
Node._fields_ = [("a", c_long), ("b", c_long), ("next", POINTER(Node)), ("l", c_long), ("name", c_char * 12), ("low", c_uint, 3), ("high", c_uint, 5),
	("f", c_float), ("o", c_void_p), ("list", c_int * 4)]
lib = CDLL(sys.argv[1])
second = Node(a=-7, b=8, name=b"second", low=1, high=2)
behind = create_string_buffer(b"behind")
first = Node(a=1, b=2, next=pointer(second), l=-5, low=5, high=17, name=b"first", list=(c_int * 4)(1, 2, -3, 4))
lib.text.restype = c_char_p
for n in range(100):
	lib.simple(c_int(-n), b"hello", c_uint(3000000000), n % 2, c_bool(True), c_long(-1 << 40), c_short(-2), c_char(b"x"))
	lib.walk(byref(first), c_byte(-3)); lib.walk(byref(second), c_byte(0))
	lib.split(c_long(1), c_long(addressof(behind)))
	lib.yes(n); lib.hue(n); lib.text(n % 2); lib.floats(c_double(0.5), n, c_float(0.5))
`

func TestUprobeDeclared(t *testing.T) {
	need.BPF(t)
	python := need.Command(t, "/usr/bin/python3")
	if runtime.GOARCH != "amd64" {
		t.Skip("the library is for amd64")
	}
	k, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	optimized := []string{"parameters-O2-dwarf4.so", "parameters-O2-dwarf5.so"}
	all := append([]string{"parameters-O0-dwarf4.so", "parameters-O0-dwarf5.so"}, optimized...)
	for _, row := range []struct {
		name, script, want string
		files              []string
	}{
		{"numbers", `u:LIB:simple { @[args->n, args->b, args->l] = sum(args->a); }`, "@[3000000000, 1, -1099511627776] -4950", all},
		{"on the stack", `u:LIB:simple { @[args->seventh, args->eighth] = count(); }`, "@[-2, 120] 100", optimized},
		{"text", `u:LIB:simple { @[str(args->s), args->s[1]] = count(); }`, "@[hello, 101] 100", all},
		{"names of values", `u:LIB:simple / args->c == GREEN / { @[args->c] = count(); }`, "@[GREEN] 50", all},
		{"a struct", `u:LIB:walk { @[args->n->p.a, args->n->name, args->delta] = count(); }`, "@[-7, second, 0] 100\n@[1, first, -3] 100", all},
		{"behind it", `u:LIB:walk / args->n->next / { @[args->n->next->p.b, args->n->l, args->n->next->name, args->n->list[1][0]] = count(); }`, "@[8, -5, second, -3] 100", all},
		{"numbers that are addresses", `u:LIB:split { @[str(args->y), *(u8 *)(args->y + 1)] = count(); } ur:LIB:split { @r[str(retval)] = count(); }`, "@[behind, 101] 100\n@r[behind] 100", all},
		{"bits", `u:LIB:walk { @[args->n->low, args->n->high] = count(); }`, "@[1, 2] 100\n@[5, 17] 100", all},
		{"which there are", `u:LIB:@(walk|yes) / exists(args->x) / { @[func] = sum(args->x); }`, "@[yes] 4950", all},
		{"beside a number with a point", `u:LIB:floats { @ = sum(args->i); }`, "@ 4950", all},
		{"results", `ur:LIB:walk { @walk[retval] = count(); } ur:LIB:yes { @yes = sum(retval); } ur:LIB:hue { @[retval] = count(); } ur:LIB:text { @text[str(retval)] = count(); }`,
			"@[GREEN] 50\n@[RED] 50\n@text[one] 50\n@text[zero] 50\n@walk[-1] 100\n@walk[-6] 100\n@yes 99", all},
	} {
		for _, file := range row.files {
			t.Run(row.name+" "+file, func(t *testing.T) {
				lib, err := filepath.Abs("elf/testdata/" + file)
				if err != nil {
					t.Fatal(err)
				}
				got := trace(t, k, strings.ReplaceAll(row.script, "LIB", lib), bpfgen.Options{}, func() {
					if out, err := exec.Command(python, "-c", callDeclared, lib).CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
				})
				if got != row.want {
					t.Errorf("got\n%s\nwant\n%s", got, row.want)
				}
			})
		}
	}
}

// declaredInGo is a program of which all calls are alike.
const declaredInGo = `package main

type node struct {
	next *node
	size int32
}

//go:noinline
func work(n int16, text string, list []byte, at *node, ok bool, long string, f float64, array [2]int) int {
	return int(n) + len(text) + len(list) + int(at.size) + len(long) + int(f) + array[0]
}

//go:noinline
func read(long string, n int) byte { return long[n] }

//go:noinline
func generic[T any](all []T, n int) T { return all[n] }

var sink int

func main() {
	long := ""
	for range 100 {
		long += "0123456789"
	}
	for range 100 {
		sink += int(read(long, 3)) + work(-2, "hello", []byte("list"), &node{&node{nil, 4}, 5}, true, long, 0.5, [2]int{}) + work(3, "", nil, &node{}, false, "", 0, [2]int{1}) + generic([]int{1, 2}, 1)
	}
}
`

func TestUprobeDeclaredInGo(t *testing.T) {
	need.BPF(t)
	k, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	source, program := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte(declaredInGo), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(need.Command(t, "go"), "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cut := strings.Repeat("0123456789", 12) + "01234…"
	for script, want := range map[string]string{
		`u:P:main.work { @[args->n, args->text, args->ok, args->at->size] = count(); }`:                     "@[-2, hello, 1, 5] 100\n@[3, , 0, 0] 100",
		`u:P:main.work / args->at->next / { @[args->at->next->size] = count(); }`:                           "@[4] 100",
		`u:P:main.read { @[args->long, args->n] = count(); }`:                                               fmt.Sprintf("@[%s, 3] 100", cut),
		`u:P:main.work / args->text == "hello" / { @ = count(); } u:P:main.generic* { @n = sum(args->n); }`: "@ 100\n@n 100",
	} {
		got := trace(t, k, strings.ReplaceAll(script, "P:", program+":"), bpfgen.Options{}, func() {
			if out, err := exec.Command(program).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
		if got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", script, got, want)
		}
	}
	for what, want := range map[string]string{
		"args->list": "list of function main.work is []uint8 by value", "args->f": "register for vectors", "args->long": "long of function main.work is string by value", "args->array": "is [2]int by value",
	} {
		_, err := bpfgen.Build(&plylang.Source{Text: "u:" + program + ":main.work { @[" + what + "] = count(); }"}, k, bpfgen.Options{Run: true}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
}
