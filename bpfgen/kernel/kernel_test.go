package kernel

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"ply-exporter/internal/recorded"
)

func open(t testing.TB, name string) *Kernel {
	t.Helper()
	k, err := Open(recorded.Files(name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVersion(t *testing.T) {
	tests := []struct {
		release             string
		major, minor, patch int
	}{
		{"5.10.0-46-cloud-amd64", 5, 10, 0},
		{"6.12.117+deb13-cloud-arm64", 6, 12, 117},
		{"6.18.44-fc-v595", 6, 18, 44},
		{"7.0-rc3", 7, 0, 0},
		{"4.19", 4, 19, 0},
		{"", 0, 0, 0},
	}
	for _, tt := range tests {
		k := &Kernel{release: func() string { return tt.release }}
		if major, minor, patch := k.version(); major != tt.major || minor != tt.minor || patch != tt.patch {
			t.Errorf("%q is %d.%d.%d", tt.release, major, minor, patch)
		}
		if !k.AtLeast(tt.major, tt.minor) || k.AtLeast(tt.major, tt.minor+1) || k.AtLeast(tt.major+1, 0) {
			t.Errorf("%q does not compare with %d.%d", tt.release, tt.major, tt.minor)
		}
	}
}

// Links of the machine are read as links.
func TestLinksOfTheMachine(t *testing.T) {
	k, err := Running()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadLink(k.Files(), "proc/self/exe"); got != want || err != nil {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestRecordedKernels(t *testing.T) {
	for _, name := range recorded.Names() {
		k := open(t, name)
		version, arch, _ := strings.Cut(name, "-")
		if !strings.HasPrefix(k.release(), version+".") || k.Arch().Name != arch {
			t.Errorf("%s is recorded as %s on %s", name, k.release(), k.Arch().Name)
		}
		if cpus, err := k.PossibleCPUs(); cpus != 2 || err != nil {
			t.Errorf("%s: %d possible processors, %v", name, cpus, err)
		}
		if cpus, err := k.OnlineCPUs(); !slices.Equal(cpus, []int{0, 1}) || err != nil {
			t.Errorf("%s: processors %v online, %v", name, cpus, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	tests := []struct{ root, arch, want string }{
		{"no-such", "amd64", "kernel: stat .: no such file or directory"},
		{"kernel.go", "amd64", "kernel: stat .: not a directory"},
		{".", "s390x", "architecture \"s390x\" is not supported: amd64, arm64 and riscv64 are"},
	}
	for _, tt := range tests {
		if _, err := OpenArch(os.DirFS(tt.root), tt.arch); err == nil || err.Error() != tt.want {
			t.Errorf("OpenArch(%q, %q): %v, want %s", tt.root, tt.arch, err, tt.want)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	tests := []struct {
		list string
		want []int // nil: an error
	}{
		{"0", []int{0}},
		{"0-3", []int{0, 1, 2, 3}},
		{"0-1,4,6-7", []int{0, 1, 4, 6, 7}},
		{"", nil},
		{"3-1", nil},
		{"0-", nil},
		{"a", nil},
		{"-1", nil},
		{"0-99999999", nil},
	}
	for _, tt := range tests {
		got, err := parseCPUs(tt.list)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("parseCPUs(%q) = %v, %v; want %v", tt.list, got, err, tt.want)
		}
	}
}

// A missing file has the kernel's own default.
func TestSysctls(t *testing.T) {
	if n := files(t, map[string]string{"proc/sys/kernel/kptr_restrict": "2\n"}).kptrRestrict(); n != 2 {
		t.Errorf("kptr_restrict is %d", n)
	}
	empty, err := OpenArch(fstest.MapFS{}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if n := empty.kptrRestrict(); n != 0 {
		t.Errorf("without files: kptr_restrict is %d", n)
	}
}
