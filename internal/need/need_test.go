package need

import "testing"

func TestOlder(t *testing.T) {
	tests := []struct {
		release, version string
		older            bool
	}{
		{"5.10.0-46-cloud-amd64", "5.15", true},
		{"5.10.0-46-cloud-amd64", "5.10", false},
		{"6.1.0", "5.15", false},
		{"6.12.117+deb13", "6.7", false},
		{"5.4.0", "5.10", true},
	}
	for _, tt := range tests {
		if got := Older(tt.release, tt.version); got != tt.older {
			t.Errorf("Older(%q, %q) = %v", tt.release, tt.version, got)
		}
	}
}

// Every machine that runs the tests is at least as new as its own release, and
// older than one that does not exist.
func TestRelease(t *testing.T) {
	EachArch(t)
	if Older(Release(), Release()) || !Older(Release(), "99.0") {
		t.Errorf("release %q does not compare", Release())
	}
}

// A wider choice of kernels must come before a narrower one, which is the one
// that counts.
func TestChoices(t *testing.T) {
	for _, tt := range []struct {
		name   string
		calls  []func(testing.TB)
		failed bool
	}{
		{"here", []func(testing.TB){BPF, BPF}, false},
		{"one guest", []func(testing.TB){OneGuest, Kprobes, BPF}, false},
		{"old and new", []func(testing.TB){OldAndNew, Kprobes, BPF}, false},
		{"each kernel", []func(testing.TB){EachKernel, BPF}, false},
		{"each architecture", []func(testing.TB){EachArch, Kprobes, BPF}, false},
		{"too late", []func(testing.TB){BPF, EachKernel}, true},
	} {
		fake := &fakeT{TB: t, name: t.Name() + "/" + tt.name}
		for _, call := range tt.calls {
			call(fake)
		}
		if fake.failed != tt.failed {
			t.Errorf("%s: failed %v", tt.name, fake.failed)
		}
	}
}

// A fakeT notes that a test fails, and is never skipped.
type fakeT struct {
	testing.TB
	name   string
	failed bool
}

func (f *fakeT) Name() string          { return f.name }
func (f *fakeT) Skip(...any)           {}
func (f *fakeT) Skipf(string, ...any)  {}
func (f *fakeT) Fatalf(string, ...any) { f.failed = true }
