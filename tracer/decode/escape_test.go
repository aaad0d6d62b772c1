package decode

import "testing"

// The same texts at all places where text is shown.
func TestEscape(t *testing.T) {
	for _, row := range []struct{ text, terminal, printf, json, formatted, label string }{
		{"sshd", "sshd", "sshd", "sshd", "sshd", "sshd"},
		{`C:\dir`, `C:\dir`, `C:\dir`, `C:\dir`, `C:\dir`, `C:\\dir`},
		{`a\xff`, `a\\xff`, `a\\xff`, `a\\xff`, `a\xff`, `a\\xff`},
		{"a\\\xff", `a\\\xff`, `a\\\xff`, `a\\\xff`, `a\\xff`, `a\\\xff`},
		{"a\tb\n", `a\x09b\x0a`, "a\tb\n", "a\tb\n", "a\tb\n", "a\tb\n"},
		{"\u009b2J", `\xc2\x9b2J`, `\xc2\x9b2J`, "\u009b2J", "\u009b2J", "\u009b2J"},
	} {
		for name, at := range map[string]struct {
			place *Escaping
			want  string
		}{
			"terminal": {ForTerminal, row.terminal}, "printf": {ForPrintf, row.printf}, "JSON": {ForJSON, row.json},
			"formatted": {ForFormatted, row.formatted}, "label": {ForLabel, row.label},
		} {
			if got := at.place.Escape(row.text); got != at.want {
				t.Errorf("%q for %s is %s, want %s", row.text, name, got, at.want)
			}
		}
	}
}
