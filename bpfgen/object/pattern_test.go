package object

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, row := range []struct{ pattern, matches, others string }{
		{"/", "/ /a /a/b", ""},
		{"/a", "/a /a/b /a/b/c", "/ /ab /b /b/a"},
		{"/*", "/a /a/b", "/"},
		{"/system.slice/*", "/system.slice/x /system.slice/x/y", "/system.slice / /system.slicex/y"},
		{"/system.slice/docker-*.scope", "/system.slice/docker-1.scope /system.slice/docker-.scope /system.slice/docker-1.scope/init.scope",
			"/system.slice/docker-1 /system.slice/docker-1/x.scope /system.slice/docker-1.scopes /system.slice/docker.service"},
		{"/a?", "/ab /ac/d", "/a /abc /a/b"},
		{"/[a-c]x", "/ax /cx/y", "/dx /x"},
		{"/[!a-c]x", "/dx /]x", "/ax //x"},
		{"/[]x]", "/] /x", "/a"},
		{"/[a-]", "/a /-", "/b"},
		{"/**/pod1", "/pod1 /a/pod1 /a/b/pod1/c", "/ /a /apod1 /a/pod12"},
		{"/a/**/b/**/c", "/a/b/c /a/x/b/y/z/c /a/b/b/c/d", "/a/c /b/c /a/b /a/bc/c"},
		{"/a/**", "/a/b /a/b/c", "/a /ab"},
		{"/**", "/a /a/b", "/"},
		{`/machine.slice/machine-web\x2d*.scope`, `/machine.slice/machine-web\x2d1.scope/payload`, `/machine.slice/machine-web-1.scope`},
		{"/kubepods.slice/**/kubepods*-pod12345678_9abc_def0_1234_56789abcdef0.slice",
			"/kubepods.slice/kubepods-pod12345678_9abc_def0_1234_56789abcdef0.slice/cri-containerd-1.scope " +
				"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12345678_9abc_def0_1234_56789abcdef0.slice",
			"/kubepods.slice/kubepods-burstable.slice"},
		{"/*a*b*c*", "/abc /xaxbxcx /aabbcc", "/acb /ab/c"},
	} {
		p, err := CompilePattern(row.pattern)
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		for want, paths := range map[bool]string{true: row.matches, false: row.others} {
			for _, name := range strings.Fields(paths) {
				if p.Match(name) != want {
					t.Errorf("%s matches %s: %t, want %t", row.pattern, name, !want, want)
				}
			}
		}
		if n := len(p.Next); n&(n-1) != 0 || len(p.Accepts) != n {
			t.Errorf("%s has %d states", row.pattern, n)
		}
	}
}

func TestWrongPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                              "is empty",
		"system.slice":                  `write "/system.slice", or "/**/system.slice" for any depth`,
		"/a/":                           "none at the end",
		"/a//b":                         "one slash between two parts",
		"/../a":                         `no cgroup has the name ".."`,
		"/a**":                          `"**" stands for whole parts`,
		"/a[b":                          `"[" has no "]"`,
		"/a\x00":                        "no NUL",
		"/" + strings.Repeat("a", 2000): "too long", "/" + "*a" + strings.Repeat("?", 12): "too long, or has too many wildcards",
	} {
		if _, err := CompilePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", pattern, err, want)
		}
	}
}

// Patterns without "**" match as path.Match does, which knows nothing of what is
// below.
func TestPatternIsThatOfFileNames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func(letters string, n int) string {
		var b strings.Builder
		for range 1 + random.IntN(n) {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	matched := 0
	for range 4000 {
		pattern := "/" + text("ab*?", 5)
		if random.IntN(2) == 0 {
			pattern += "/" + text("ab*?", 4)
		}
		if strings.Contains(pattern, "**") {
			continue // which path.Match takes for one
		}
		p, err := CompilePattern(pattern)
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		name := "/" + text("ab", 5)
		if random.IntN(2) == 0 {
			name += "/" + text("ab", 4)
		}
		want := false
		for above := name; above != "/" && !want; above = path.Dir(above) {
			want, err = path.Match(pattern, above)
			if err != nil {
				t.Fatal(err)
			}
		}
		if p.Match(name) != want {
			t.Errorf("%s matches %s: %t", pattern, name, !want)
		}
		if want {
			matched++
		}
	}
	if matched < 200 {
		t.Errorf("only %d matched", matched)
	}
}

func ExamplePattern_Match() {
	p, _ := CompilePattern("/system.slice/docker-*.scope")
	fmt.Println(p.Match("/system.slice/docker-12ab.scope/init.scope"), p.Match("/system.slice/cron.service"))
	// Output: true false
}
