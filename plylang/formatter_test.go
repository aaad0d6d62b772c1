package plylang

import "testing"

// TestFormat shows what the formatter makes of scripts. TestRoundTrip and
// FuzzParse see that it changes neither meaning nor comments, and that
// formatting twice changes nothing more.
func TestFormat(t *testing.T) {
	for _, row := range []struct{ script, want string }{
		{"kprobe:SyS_*{$syscalls[func].count()}", `
kprobe:SyS_* { $syscalls[func] = count(); }
`},
		{"kprobe:a{x=arg(2);y=0x10}", `
kprobe:a {
    x = arg2;
    y = 0x10;
}
`},
		{"kprobe:a,k:b/pid==1/{@=count()} kprobe:c\nBEGIN{\n}", `
kprobe:a, k:b / pid == 1 / { @ = count(); }

kprobe:c

BEGIN { }
`},
		{"kprobe:a {\n  @ = count()\n}", `
kprobe:a {
    @ = count();
}
`},
		{"kprobe:a { if (x) y = 1 else if (z) { y = 2 } else unroll(3) { y++ } }", `
kprobe:a {
    if (x) {
        y = 1;
    } else if (z) {
        y = 2;
    } else {
        unroll (3) {
            y++;
        }
    }
}
`},
		{"#!/usr/bin/env ply\n/* Sizes of reads,\n   by process. */\nkprobe:a # entry\n/pid/ // some\n{\n\n # first\n\n\n x = 1 # one\n y = /* two */ 2; # 2\n}\n# end", ""},
		{`#!/usr/bin/env ply

# Sizes.
kprobe:a # entry
/ pid / // some
{

  # first


  x = 1; # one
  y = /* two */ 2; # 2
  if (x) z = 1; # then
  else { } # else
  # last
} # a
# b

kprobe:c
# end
`, `
#!/usr/bin/env ply

# Sizes.
kprobe:a / pid / { # entry
    // some

    # first

    x = 1; # one
    y = 2; /* two */ # 2
    if (x) {
        z = 1; # then
    } else {
    } # else
    # last
} # a

# b

kprobe:c

# end
`},
	} {
		got, err := Format(&Source{Text: row.script})
		if row.want == "" {
			if err == nil {
				t.Errorf("%s\nformats", row.script)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s", Detail(err))
		} else if "\n"+got != row.want {
			t.Errorf("%s\nformats as\n%s\nnot%s", row.script, got, row.want)
		}
	}
}
