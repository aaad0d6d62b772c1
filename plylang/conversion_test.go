package plylang

import (
	"fmt"
	"strings"
	"testing"
)

// TestParseFormat shows how formats are split: text in quotes, and conversions
// as flags/width.precision and verb.
func TestParseFormat(t *testing.T) {
	tests := []struct{ format, want string }{
		{"", ``},
		{"hello\n", `"hello\n"`},
		{"%d", `/-1.-1d`},
		{"pid %d of %s\n", `"pid " /-1.-1d " of " /-1.-1s "\n"`},
		{"%-10s|%05d", `-/10.-1s "|" 0/5.-1d`},
		{"%+ #0x", `+ #0/-1.-1x`},
		{"%8.3f%.2e%.g", `/8.3f /-1.2e /-1.0g`},
		{"%lld%hhu%zx%Lf%jd%td%qd", `/-1.-1d /-1.-1u /-1.-1x /-1.-1f /-1.-1d /-1.-1d /-1.-1d`},
		{"100%% of %v", `"100% of " /-1.-1v`},
		{"%i%X%o%c%p%%", `/-1.-1i /-1.-1X /-1.-1o /-1.-1c /-1.-1p "%"`},
	}
	for _, test := range tests {
		pieces, err := ParseFormat(test.format)
		if err != nil {
			t.Errorf("%q: %v", test.format, err)
			continue
		}
		var got []string
		for _, p := range pieces {
			if p.Verb == 0 {
				got = append(got, fmt.Sprintf("%q", p.Text))
			} else {
				got = append(got, fmt.Sprintf("%s/%d.%d%c", p.Flags, p.Width, p.Prec, p.Verb))
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%q is %s, want %s", test.format, text, test.want)
		}
	}
}

func TestParseFormatErrors(t *testing.T) {
	tests := []struct{ format, want string }{
		{"%", `the format ends within "%": write %% for a percent sign`},
		{"a %-5l", `the format ends within "%-5l": write %% for a percent sign`},
		{"%*d", `%*d: a width of * is not possible, write a number`},
		{"%.*s", `%.*s: a width of * is not possible, write a number`},
		{"%n", `no conversion "%n": there are %d %i %u %x %X %o %c %s %p %f %F %e %E %g %G %a %A %v and %%`},
		{"%5000d", `%5000d: more than 4096 characters`},
		{"%.99999999999999999999s", `%.99999999999999999999s: more than 4096 characters`},
	}
	for _, test := range tests {
		_, err := ParseFormat(test.format)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: got %v, want %s", test.format, err, test.want)
		}
	}
}
