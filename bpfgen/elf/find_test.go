package elf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tree makes files below a folder: a name that ends in / is a folder, name ->
// target a link, name! a program of this machine, name? of another, others text.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	machine := map[string]Machine{"amd64": AMD64, "arm64": ARM64, "riscv64": RISCV64}[runtime.GOARCH]
	other := ARM64
	if machine == ARM64 {
		other = AMD64
	}
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		content, mode := []byte("text"), fs.FileMode(0o600)
		switch name[len(name)-1] {
		case '!':
			content, mode = image{machine: machine}.bytes(), 0o700
		case '?':
			content, mode = image{machine: other}.bytes(), 0o700
		}
		at := filepath.Join(root, strings.TrimRight(name, "!?"))
		folder := filepath.Dir(at)
		if strings.HasSuffix(name, "/") {
			folder = at
		}
		err := os.MkdirAll(folder, 0o700)
		switch {
		case err != nil || folder == at:
		case isLink:
			err = os.Symlink(target, at)
		default:
			err = os.WriteFile(at, content, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFind(t *testing.T) {
	root := tree(t,
		"usr/bin/nginx!", "usr/bin/script", "usr/sbin/nginx-debug!", "usr/local/bin/tool!", "usr/bin/tool!", "usr/bin/folder/",
		"bin -> usr/bin", "sbin -> /usr/sbin", "usr/bin/link -> /usr/local/bin/tool", "usr/bin/up -> ../../../../usr/bin/nginx",
		"usr/bin/away -> /nowhere", "usr/bin/loop -> loop", "usr/bin/.hidden!",
		"lib64/libssl.so.1.1!", "lib64/libssl.so.3!", "lib64/libssl.so", "usr/lib/libssl.so.3!", "lib/libold.so?", "usr/lib/libold.so!",
		"usr/lib/libabc.so.2 -> libabc.so.2.5", "usr/lib/libabc.so.2.5!", "lib/libdev.so", "opt/a/x!", "opt/b/x!", "opt/b/y!",
		"opt/now -> /releases/7", "releases/7/app!", "releases/libs/app.so!", "opt/libs/app.so!",
	)
	tests := []struct{ name, want string }{
		{"/usr/bin/nginx", "/usr/bin/nginx"},
		{"/bin/nginx", "/usr/bin/nginx"},
		{"/sbin/nginx-debug", "/usr/sbin/nginx-debug"},
		{"/usr/bin/link", "/usr/local/bin/tool"},
		{"/usr/bin/up", "/usr/bin/nginx"},
		{"/usr/bin/../bin/nginx", "/usr/bin/nginx"},
		{"/opt/now/../libs/app.so", "/releases/libs/app.so"},
		{"/opt/now/.././7//app", "/releases/7/app"},
		{"/opt/*/../libs/app.so", "/opt/libs/app.so /releases/libs/app.so"},
		{"/opt/b/../../../opt/b/x", "/opt/b/x"},
		{"/opt/*/x", "/opt/a/x /opt/b/x"},
		{"/opt/b/*", "/opt/b/x /opt/b/y"},
		{"/opt/[ab]/?", "/opt/a/x /opt/b/x /opt/b/y"},
		{"/usr/bin/*", "/usr/bin/folder /usr/bin/nginx /usr/bin/script /usr/bin/tool /usr/local/bin/tool"},
		{"nginx", "/usr/bin/nginx"},
		{"nginx*", "/usr/bin/nginx /usr/sbin/nginx-debug"},
		{"tool", "/usr/local/bin/tool"},
		{"link", "/usr/local/bin/tool"},
		{"libssl.so.3", "/lib64/libssl.so.3"},
		{"libssl.so.*", "/lib64/libssl.so.1.1 /lib64/libssl.so.3 /usr/lib/libssl.so.3"},
		{"libold.so", "/usr/lib/libold.so"}, // the other is for another machine
		{"libabc.so.2", "/usr/lib/libabc.so.2.5"},
		{"libabc", "/usr/lib/libabc.so.2.5"},

		{"", "a program or library needs a name"},
		{"./nginx", "./nginx: a path begins with /; a name without / is looked up"},
		{"/usr/bin/apache", "find ROOT/usr/bin/apache: file does not exist"},
		{"/usr/bin/away", "find ROOT/usr/bin/away: file does not exist"},
		{"/usr/bin/loop", "open ROOT/usr/bin/loop: too many levels of symbolic links"},
		{"/opt/*/z", "find ROOT/opt/*/z: file does not exist"},
		{"/usr/bin/nginx/x", "lstat ROOT/usr/bin/nginx/x: not a directory"},
		{"/opt/[", "/opt/[: syntax error in pattern"},
		{"script", "no program script in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin: file does not exist"},
		{"folder", "no program folder in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin: file does not exist"},
		{"libdev.so", "no library libdev.so in /etc/ld.so.cache, " + strings.Join(libraryFolders(), ", ") + ": file does not exist"}, // a linker script
		{"lib[.so", "lib[.so: syntax error in pattern"},
	}
	for _, tt := range tests {
		all, err := Find(root, tt.name)
		for i := range all {
			all[i] = strings.TrimPrefix(all[i], root)
		}
		got := strings.Join(all, " ")
		if err != nil {
			got = strings.ReplaceAll(err.Error(), root, "ROOT")
			if strings.HasSuffix(tt.want, "does not exist") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v is not fs.ErrNotExist", tt.name, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFindOnThisMachine(t *testing.T) {
	root := tree(t, "a/one!", "b/one!", "b/two!")
	t.Setenv("PATH", root+"/a:relative::"+root+"/b")
	for name, want := range map[string]string{"one": root + "/a/one", "two": root + "/b/two"} {
		if got, err := Find("", name); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q %v, want %s", name, got, err, want)
		}
	}
	if _, err := Find("", "three"); err == nil || err.Error() != "no program three in "+root+"/a, "+root+"/b: file does not exist" {
		t.Error(err)
	}
}

// ldCacheBytes makes a cache of entries: flags, name, path.
func ldCacheBytes(entries ...cachedEntry) []byte {
	p := append([]byte(ldMagic), make([]byte, ldHeader-len(ldMagic))...)
	little.PutUint32(p[20:], uint32(len(entries)))
	texts := []byte{}
	start := uint32(ldHeader + ldEntry*len(entries))
	for _, e := range entries {
		h := make([]byte, ldEntry)
		little.PutUint32(h, e.flags)
		little.PutUint32(h[4:], start+uint32(len(texts)))
		texts = append(append(texts, e.name...), 0)
		little.PutUint32(h[8:], start+uint32(len(texts)))
		texts = append(append(texts, e.path...), 0)
		p = append(p, h...)
	}
	return append(p, texts...)
}

type cachedEntry struct {
	flags      uint32
	name, path string
}

func TestCache(t *testing.T) {
	whole := ldCacheBytes(
		cachedEntry{0x0303, "libz.so.1", "/lib/libz.so.1"},
		cachedEntry{0x0303, "liba.so.1", "/opt/v3/liba.so.1"},
		cachedEntry{0x0303, "liba.so.1", "/opt/liba.so.1"},
		cachedEntry{0x0003, "liba.so.1", "/lib32/liba.so.1"},
		cachedEntry{0x0a03, "libarm.so.1", "/lib/libarm.so.1"},
		cachedEntry{0x0303, "librel.so", "lib/librel.so"},
		cachedEntry{0x0303, "", "/lib/noname.so"},
	)
	many := slices.Clone(whole)
	little.PutUint32(many[20:], 1<<32-1)
	outside := slices.Clone(whole)
	little.PutUint32(outside[ldHeader+4:], 1<<31)
	tests := []struct {
		name, machine string
		cache         []byte
		want          string
	}{
		{"whole", "amd64", whole, "liba.so.1=/opt/liba.so.1 liba.so.1=/opt/v3/liba.so.1 libz.so.1=/lib/libz.so.1"},
		{"arm64", "arm64", whole, "libarm.so.1=/lib/libarm.so.1"},
		{"riscv64", "riscv64", whole, ""},
		{"behind an old one", "amd64", append([]byte("ld.so-1.7.0\x00\x00\x00\x00\x00"), whole...), "liba.so.1=/opt/liba.so.1 liba.so.1=/opt/v3/liba.so.1 libz.so.1=/lib/libz.so.1"},
		{"empty", "amd64", nil, ""},
		{"a header alone", "amd64", whole[:ldHeader], ""},
		{"half a header", "amd64", whole[:ldHeader-1], ""},
		{"half an entry", "amd64", whole[:ldHeader+ldEntry-1], ""},
		{"a name outside", "amd64", outside, "liba.so.1=/opt/liba.so.1 liba.so.1=/opt/v3/liba.so.1"},
		{"another version", "amd64", []byte(strings.Replace(string(whole), "1.1", "2.0", 1)), ""},
	}
	for _, tt := range tests {
		var got []string
		for _, l := range parseCache(tt.cache, tt.machine) {
			got = append(got, l.name+"="+l.path)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
	parseCache(many, "amd64") // no panic
}

// A cache comes before the folders, and its libraries are found in the root.
func TestFindCached(t *testing.T) {
	root := tree(t, "opt/liba.so.1 -> liba.so.1.2", "opt/liba.so.1.2!", "opt/v3/liba.so.1!", "usr/lib/liba.so.1!", "usr/lib/libb.so.1!", "etc/")
	flags := map[string]uint32{"amd64": 0x0303, "arm64": 0x0a03, "riscv64": 0x1003}[runtime.GOARCH]
	cache := ldCacheBytes(cachedEntry{flags, "liba.so.1", "/opt/liba.so.1"}, cachedEntry{flags, "liba.so.1", "/opt/v3/liba.so.1"},
		cachedEntry{flags, "libb.so.1", "/gone/libb.so.1"})
	if err := os.WriteFile(root+ldCache, cache, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"liba.so.1": "/opt/liba.so.1.2 /opt/v3/liba.so.1",
		"liba.so.*": "/opt/liba.so.1.2 /opt/v3/liba.so.1",
		"libb.so.1": "/usr/lib/libb.so.1", // the cache is old
	} {
		all, err := Find(root, name)
		if got := strings.ReplaceAll(strings.Join(all, " "), root, ""); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", name, got, err, want)
		}
	}
}

// The cache of this machine has what ldconfig prints of it.
func TestCacheOfThisMachine(t *testing.T) {
	ldconfig := "/sbin/ldconfig"
	if _, err := os.Stat(ldconfig); err != nil {
		t.Skip("this machine has no ldconfig")
	}
	out, err := exec.Command(ldconfig, "-p").Output()
	if err != nil {
		t.Skip("this machine has no cache of libraries")
	}
	kind := map[string]string{"amd64": "x86-64", "arm64": "AArch64", "riscv64": "double-float"}[runtime.GOARCH]
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) \(libc6,`+kind+`[^)]*\) => (/\S+)$`).FindAllStringSubmatch(string(out), -1) {
		want = append(want, m[1]+"="+path.Clean(m[2]))
	}
	var got []string
	for _, l := range (search{}).cached() {
		got = append(got, l.name+"="+path.Clean(l.path))
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(got) < 3 || !slices.Equal(got, want) {
		t.Errorf("%d libraries, ldconfig prints %d", len(got), len(want))
	}
}

// The root of a process leads to its files, and links there stay with it; its program is
// that which it runs, wherever that is.
func TestFindThroughProcess(t *testing.T) {
	root := tree(t, "usr/lib/real!", "link -> real")
	if err := os.Symlink(root+"/usr/lib/real", root+"/usr/lib/absolute"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../../../../../../../.."+root+"/usr/lib/real", root+"/usr/lib/up"); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	self := fmt.Sprintf("/proc/%d", os.Getpid())
	for name, want := range map[string]string{
		self + "/cwd/testdata/classes.so":           self + "/cwd/testdata/classes.so",
		self + "/cwd/../elf/testdata/classes.so":    self + "/root" + here + "/testdata/classes.so",
		self + "/root" + root + "/usr/lib/absolute": self + "/root" + root + "/usr/lib/real",
		self + "/root" + root + "/usr/lib/up":       self + "/root" + root + "/usr/lib/real",
		self + "/root" + root + "/usr/lib/re*":      self + "/root" + root + "/usr/lib/real",
		"/proc/self/root" + root + "/usr/lib/real":  self + "/root" + root + "/usr/lib/real",
		self + "/exe":                  self + "/exe",
		self + "/root" + self + "/exe": self + "/root" + self + "/exe",
	} {
		if got, err := Find("", name); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, %v, want %s", name, got, err, want)
		}
	}
}
