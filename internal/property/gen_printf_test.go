package property

import (
	"fmt"
	"strings"
)

// maxPrints bounds the output of a script.
const maxPrints = 4

// printf writes a statement that prints a few values.
func (g *generator) printf() string {
	g.prints++
	format, args := "", ""
	for range 1 + g.Intn(4) {
		s := g.conversion()
		format += g.pick("", "a", " ", "%%", "=") + s.String()
		args += ", " + g.printed(s.verb)
	}
	return fmt.Sprintf("printf(\"%s\"%s)", format, args)
}

// verbs are the conversions, but for %a, whose text C leaves open.
var verbs = strings.Split("diuxXocpfFeEgGsv", "")

func (g *generator) conversion() spec {
	s := spec{width: -1, prec: -1, verb: g.pick(verbs...)[0]}
	s.flags = g.flags(s.verb)
	if g.Intn(3) == 0 {
		s.width = 1 + g.Intn(30) // 0 would be a flag
	}
	if g.Intn(3) == 0 && s.verb != 'c' && s.verb != 'p' {
		s.prec = g.Intn(25)
	}
	return s
}

// flags chooses the flags that C knows for a conversion.
func (g *generator) flags(verb byte) string {
	allowed := "-"
	switch verb {
	case 'd', 'i', 'u':
		allowed = "-+ 0"
	case 'x', 'X', 'o', 'f', 'F', 'e', 'E', 'g', 'G':
		allowed = "-+ 0#"
	}
	return strings.Map(func(r rune) rune {
		if g.Intn(3) == 0 {
			return r
		}
		return -1
	}, allowed)
}

// printed writes a value for a conversion.
func (g *generator) printed(verb byte) string {
	switch verb {
	case 's':
		return g.text(1)
	case 'v':
		return g.value(g.anyKind(), 1)
	case 'p':
		return g.natural(1)
	}
	if g.Intn(2) == 0 {
		return fmt.Sprintf("(%s)%s", g.pick(casts...), g.operand(1))
	}
	return g.value(kind(g.Intn(int(text))), 1)
}
