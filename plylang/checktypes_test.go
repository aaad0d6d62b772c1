package plylang

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var updateTypes = flag.Bool("update-types", false, "write what TestCheckTypes finds into testdata/check-types.txt")

// TestCheckTypes shows what is inferred of right scripts: maps, locals, and
// the values that are assigned, fed and passed.
func TestCheckTypes(t *testing.T) {
	const file = "testdata/check-types.txt"
	var golden []string
	for _, text := range records(t, file) {
		source, want, _ := strings.Cut(text, "\n=>\n")
		got := inferred(t, source)
		if strings.TrimSpace(got) != strings.TrimSpace(want) && !*updateTypes {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", source, got, want)
		}
		golden = append(golden, source+"\n=>\n"+got)
	}
	if *updateTypes {
		text := strings.Join(golden, "\n---\n") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checked parses and checks a script that is right.
func checked(t *testing.T, text string) *Script {
	t.Helper()
	script, err := Parse(&Source{Text: text})
	if err != nil {
		t.Fatal(Detail(err))
	}
	if err := Check(script, newFakeEnv()); err != nil {
		t.Fatalf("%s\n%s", text, Detail(err))
	}
	return script
}

func inferred(t *testing.T, text string) string {
	t.Helper()
	script := checked(t, text)
	var out []string
	for _, m := range script.Maps {
		out = append(out, mapText(m))
	}
	for _, c := range script.Clauses {
		for _, l := range c.Locals {
			out = append(out, fmt.Sprintf("local %s: %s", l.Name, typeText(l.Type)))
		}
		out = append(out, valueTexts(c.Body)...)
	}
	for _, w := range script.Warnings {
		out = append(out, "warning: "+w.Msg)
	}
	return strings.Join(out, "\n")
}

func mapText(m *Map) string {
	var keys []string
	for _, k := range m.Keys {
		keys = append(keys, typeText(k))
	}
	text := fmt.Sprintf("map %s[%s]", m.Name, strings.Join(keys, ", "))
	if m.Agg != nil {
		text += " " + m.Agg.Name + "()"
	}
	if m.Value != nil {
		text += " of " + typeText(m.Value)
	}
	return text
}

// valueTexts lists the values that the statements of a block make.
func valueTexts(b *Block) []string {
	var out []string
	note := func(x Expr) {
		switch x.(type) {
		case *Number, *StringLit:
		default:
			out = append(out, fmt.Sprintf("%s: %s", x, typeText(x.Type())))
		}
	}
	Walk(b, func(n Node) bool {
		switch n := n.(type) {
		case *Assign:
			if call := aggregation(n); call == nil && n.X != nil {
				note(n.X)
			}
		case *Call:
			if n.Func.Role != Function {
				for _, x := range n.Args {
					note(x)
				}
			}
		}
		return true
	})
	return out
}

// typeText writes a type as short as can be: u32, string[16], *struct file.
func typeText(t *Type) string {
	if t == nil {
		return "unknown"
	}
	text := kindText(t)
	if t.User {
		text = "user " + text
	}
	switch {
	case t.Net == NetMixed:
		text += " from some be"
	case t.Net != 0:
		text += fmt.Sprint(" from be", 8*t.Net)
	}
	if t.Display != nil && t.Display != DisplayTime {
		text += " as " + t.Display.Name
	}
	return text
}

func kindText(t *Type) string {
	switch t.Kind {
	case Int:
		return intText(t)
	case Enum:
		return "enum " + t.Enum.Name + " in " + intText(t)
	case Bool:
		return "bool in " + intText(t)
	case Pointer:
		if t.Elem == nil {
			return "*void"
		}
		return "*" + typeText(t.Elem)
	case Struct:
		return t.Struct.Name()
	case Array:
		return fmt.Sprintf("%s[%d]", typeText(t.Elem), t.Len)
	case String:
		return fmt.Sprintf("string[%d]", t.Size)
	case Bytes:
		return fmt.Sprintf("bytes[%d]", t.Size)
	case Stack:
		return "stack"
	default:
		return "nothing"
	}
}

func intText(t *Type) string {
	switch {
	case t == zeroT:
		return "zero"
	case t.Literal:
		return "literal"
	case t.Unit == Duration:
		return "duration"
	case t.Unit == Timestamp:
		return "timestamp"
	case t.Signed:
		return fmt.Sprintf("s%d", 8*t.Size)
	}
	return fmt.Sprintf("u%d", 8*t.Size)
}
