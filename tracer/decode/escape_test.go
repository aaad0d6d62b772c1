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
		{"\u009b2J", `\xc2\x9b2J`, `\xc2\x9b2J`, "\u009b2J", "\u009b2J", `\xc2\x9b2J`},
		{"\x1b[2J\x7f", `\x1b[2J\x7f`, `\x1b[2J\x7f`, "\x1b[2J\x7f", "\x1b[2J\x7f", `\x1b[2J\x7f`},
		{"a\u202eb", `a\xe2\x80\xaeb`, `a\xe2\x80\xaeb`, "a\u202eb", "a\u202eb", `a\xe2\x80\xaeb`},
		{"a\u2066b", `a\xe2\x81\xa6b`, `a\xe2\x81\xa6b`, "a\u2066b", "a\u2066b", `a\xe2\x81\xa6b`},
		{"äöü 漢 עברית", "äöü 漢 עברית", "äöü 漢 עברית", "äöü 漢 עברית", "äöü 漢 עברית", "äöü 漢 עברית"},
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
