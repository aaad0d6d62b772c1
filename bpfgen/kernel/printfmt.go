package kernel

import (
	"regexp"
	"strings"
)

// What a format file's "print fmt" tells beyond the types of fields: which of
// them are addresses.
//
//	print fmt: "sport=%hu saddr=%pI4", REC->sport, REC->saddr
//
// A format that is not understood tells nothing.

// printVerb matches what printf takes an argument for, and "%%".
var printVerb = regexp.MustCompile(`%[-+ #0]*[0-9]*(?:\.[0-9]+)?(?:hh?|ll?|[Lzjtq])?(?:p[A-Za-z]*[0-9]?[A-Za-z]*|[a-zA-Z%])`)

// markAddresses notes the fields of 4 and 16 bytes that are printed as an IP
// address.
func (f *Format) markAddresses(print string) {
	text, args := cutPrint(print)
	var verbs []string
	for _, verb := range printVerb.FindAllString(text, -1) {
		if verb != "%%" {
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) != len(args) || strings.Contains(text, "*") {
		return
	}
	for i, verb := range verbs {
		name, ok := strings.CutPrefix(args[i], "REC->")
		if !ok || !strings.HasPrefix(verb, "%pI4") && !strings.HasPrefix(verb, "%pI6") {
			continue
		}
		if field := f.Field(name); field != nil && field.Array && (field.Size == 4 || field.Size == 16) {
			field.Inet = true
		}
	}
}

// cutPrint splits the arguments of printf at the commas between them.
func cutPrint(print string) (text string, args []string) {
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(print); i++ {
		switch c := print[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '{':
			depth++
		case c == ')' || c == '}':
			depth--
		case c == ',' && depth == 0:
			args = append(args, strings.TrimSpace(print[start:i]))
			start = i + 1
		}
	}
	args = append(args, strings.TrimSpace(print[start:]))
	return args[0], args[1:]
}
