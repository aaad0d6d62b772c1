package kernel

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		glob  string
		match string // names apart by blanks
		other string
	}{
		{"vfs_read", "vfs_read", "vfs_readv xvfs_read vfs_rea"},
		{"vfs_*", "vfs_ vfs_read", "vf xvfs_read"},
		{"*_read", "vfs_read _read", "vfs_readv vfs_reads"},
		{"*read*", "read vfs_readv", "vfs_raed"},
		{"sys_*_at?", "sys_open_at2 sys__at_at3", "sys_open_at sys_at2"},
		{"tcp_v[46]_rcv", "tcp_v4_rcv tcp_v6_rcv", "tcp_v5_rcv tcp_v_rcv"},
		{"cpu[0-9a]", "cpu0 cpu9 cpua", "cpub cpu cpu00"},
		{"[!_]*", "read x", "_read"},
		{"[^_]*", "read", "_read"},
		{"a[]]b", "a]b", "a[b ab"},
		{"a[!]]b", "a[b axb", "a]b"},
		{"a[x-]b", "a-b axb", "ayb"},
		{"vfs_@(read|write)", "vfs_read vfs_write", "vfs_readv vfs_ vfs_readwrite"},
		{"vfs_@(read|write)*", "vfs_read vfs_writev", "vfs_open"},
		{"vfs_?(iter_)read", "vfs_read vfs_iter_read", "vfs_iter_iter_read"},
		{"a*(bc)d", "ad abcd abcbcd", "abd"},
		{"a+(b|c)d", "abd acbd", "ad"},
		{"!(vfs_*)", "read vf", "vfs_ vfs_read"},
		{"sys_!(read|write)", "sys_open sys_readv sys_", "sys_read sys_write open"},
		{"sys_enter_!(read|write)@(v|64)", "sys_enter_pread64 sys_enter_readvv", "sys_enter_readv sys_enter_write64"},
		{"@(a|b*(c|d))e", "ae be bcde", "e ace"},
		{"@(|x)y", "y xy", "xxy"},
		{"!(!(a))", "a", "b ab"},
		{"[a", "[a", "a"},
		{"@(a", "@(a", "a"},
		{"f+0x10", "f+0x10", "ff0x10"},
		{"a(b)", "a(b)", "ab"},
		{"**a", "a ba", "b"},
	}
	for _, tt := range tests {
		for _, name := range strings.Fields(tt.match) {
			if !Compile(tt.glob).Match(name) || !matchesByPlaces(tt.glob, name) {
				t.Errorf("%s does not match %s", tt.glob, name)
			}
		}
		for _, name := range strings.Fields(tt.other) {
			if Compile(tt.glob).Match(name) || matchesByPlaces(tt.glob, name) {
				t.Errorf("%s matches %s", tt.glob, name)
			}
		}
	}
	if !Compile("").Match("") || !Compile("*").Match("") || Compile("?").Match("") || Compile("").Match("a") {
		t.Error("the empty name or pattern matches wrongly")
	}
}

// matchesByPlaces matches as if the pattern had no easy part.
func matchesByPlaces(glob, name string) bool {
	m := matcher{name: name}
	return m.reach(parseGlob(glob), m.only(0))[len(name)]
}

func TestIsGlob(t *testing.T) {
	for _, glob := range []string{"*", "a?", "[ab]", "@(a)", "x!(y)", "+(a)", "vfs_*"} {
		if !IsGlob(glob) {
			t.Errorf("%s is a glob", glob)
		}
	}
	for _, plain := range []string{"", "vfs_read", "f+0x10", "a.constprop.0", "[", "@(", "a!", "sched/sched_switch"} {
		if IsGlob(plain) {
			t.Errorf("%s is no glob", plain)
		}
	}
}

// Groups in groups cost no time that doubles with each.
func TestMatchNested(t *testing.T) {
	tests := []struct {
		open string
		as   int // length of the name
		want bool
	}{
		{"+(", 100, true},
		{"*(", 100, true},
		{"!(", 100, false}, // twice not is only "a" again
		{"!(", 1, true},
		{"@(b|", 100, false},
		{"@(b|", 1, true},
	}
	for _, tt := range tests {
		pattern := strings.Repeat(tt.open, 60) + "a" + strings.Repeat(")", 60)
		if got := Compile(pattern).Match(strings.Repeat("a", tt.as)); got != tt.want {
			t.Errorf("60 times %s…) and %d bytes: %v", tt.open, tt.as, got)
		}
	}
}

// What would take long to match is refused.
func TestCheckGlob(t *testing.T) {
	const manyPieces = "glob has more than 200 wildcards and alternatives: write it as a list with commas"
	const manyGroups = "glob has groups in groups, more than 8 deep: write it as a list with commas"
	for _, tt := range []struct{ glob, want string }{
		{"vfs_read", ""},
		{strings.Repeat("a", 4000), ""},
		{strings.Repeat("*a", 200), ""},
		{strings.Repeat("*a", 201), manyPieces},
		{"@(" + strings.Repeat("a|", 198) + "a)", ""},
		{"@(" + strings.Repeat("a|", 200) + "a)", manyPieces},
		{strings.Repeat("@(", 8) + "a" + strings.Repeat(")", 8), ""},
		{strings.Repeat("!(", 9) + "a" + strings.Repeat(")", 9), manyGroups},
		{strings.Repeat("@(", 2000), ""},
	} {
		got := ""
		if err := CheckGlob(tt.glob); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%.40s… gives %q, want %q", tt.glob, got, tt.want)
		}
	}
}

// A plain name matches itself alone, and a name between stars is found.
func FuzzMatch(f *testing.F) {
	f.Add("vfs_@(read|write*)", "vfs_read")
	f.Add("+(+(a|b)|*(c))!(d)", "aabbccdd")
	f.Add("[!a-]x?(y)[", "bxy[")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 60 || len(name) > 60 {
			return
		}
		if matched := Compile(pattern).Match(name); !IsGlob(pattern) && matched != (pattern == name) {
			t.Errorf("Compile(%q).Match(%q) = %v", pattern, name, matched)
		}
		if !Compile("*" + "@(" + "x|" + ")" + "*").Match(name) {
			t.Errorf("nothing between stars does not match %q", name)
		}
	})
}
