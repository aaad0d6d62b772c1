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
	if Older(Release(), Release()) || !Older(Release(), "99.0") {
		t.Errorf("release %q does not compare", Release())
	}
}
