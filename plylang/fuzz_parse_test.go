package plylang

import "testing"

// FuzzParse holds for any text: Parse does not panic; what it accepts prints
// and formats to scripts that mean the same, and formatting them again changes
// nothing.
func FuzzParse(f *testing.F) {
	for _, script := range append(exampleScripts(f), roundTrips...) {
		f.Add(script)
	}
	for _, row := range readSyntaxErrors(f) {
		f.Add(row.script)
	}
	f.Fuzz(func(t *testing.T, text string) {
		script, err := Parse(&Source{Text: text})
		if err != nil {
			_ = Detail(err)
			return
		}
		checkRoundTrip(t, script)
		checkFormat(t, script)
	})
}

// checkRoundTrip tells whether a script survives being printed.
func checkRoundTrip(t *testing.T, script *Script) {
	t.Helper()
	printed := script.String()
	again, err := Parse(&Source{Text: printed})
	if err != nil {
		t.Fatalf("%q\nprints as\n%s\nwhich does not parse:\n%s", script.Src.Text, printed, Detail(err))
	}
	if !equal(script, again) {
		t.Fatalf("%q\nprints as\n%s\nwhich is another tree:\n%s", script.Src.Text, printed, again)
	}
	if twice := again.String(); twice != printed {
		t.Fatalf("%q\nprints as\n%s\nand that as\n%s", script.Src.Text, printed, twice)
	}
}

// checkFormat tells whether a script survives being formatted, and its
// comments too.
func checkFormat(t *testing.T, script *Script) {
	t.Helper()
	formatted, err := Format(script.Src)
	if err != nil {
		t.Fatalf("%q does not format: %v", script.Src.Text, err)
	}
	again, err := Parse(&Source{Text: formatted})
	if err != nil {
		t.Fatalf("%q\nformats as\n%s\nwhich does not parse:\n%s", script.Src.Text, formatted, Detail(err))
	}
	if !equal(script, again) {
		t.Fatalf("%q\nformats as\n%s\nwhich is another tree", script.Src.Text, formatted)
	}
	if len(script.Comments) != len(again.Comments) {
		t.Fatalf("%q\nformats as\n%s\nwith %d comments, not %d", script.Src.Text, formatted, len(again.Comments), len(script.Comments))
	}
	for i, c := range again.Comments {
		if c.Text != script.Comments[i].Text {
			t.Fatalf("comment %q became %q", script.Comments[i].Text, c.Text)
		}
	}
	if twice, _ := Format(again.Src); twice != formatted {
		t.Fatalf("%q\nformats as\n%q\nand that as\n%q", script.Src.Text, formatted, twice)
	}
}
