package kernel

import (
	"io/fs"
	"strings"
	"testing"

	"ply-exporter/internal/recorded"
)

// Without a list and a prober the version decides.
func TestFeaturesByVersion(t *testing.T) {
	tests := []struct {
		release string
		feature Feature
		want    bool
	}{
		{"5.10.0", FetchingAtomics, false},
		{"5.12.0", FetchingAtomics, true},
		{"5.10.0", Cookie, false},
		{"5.15.3", Cookie, true},
		{"6.6.0", MissedCounts, false},
		{"6.7.0", MissedCounts, true},
		{"5.14.0", TypedTask, false},
		{"5.15.0", TypedTask, true},
		{"6.18.0", RawTracepointsExact, true},
		{"7.0.0", RawTracepointsExact, false},
		{"7.3.0", "no_such_feature", false},
	}
	for _, tt := range tests {
		k := files(t, map[string]string{"proc/sys/kernel/osrelease": tt.release})
		if got := k.Has(tt.feature); got != tt.want {
			t.Errorf("%s on %s: %v", tt.feature, tt.release, got)
		}
	}
}

// A file tells more than the version does.
func TestFeaturesByMark(t *testing.T) {
	const devices = "sys/bus/event_source/devices/"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"no folder", nil, true},
		{"no kprobes", map[string]string{devices + "uprobe/type": "9"}, false},
		{"kprobes", map[string]string{devices + "kprobe/type": "8"}, true},
	} {
		all := map[string]string{"proc/sys/kernel/osrelease": "6.18.0"}
		for name, text := range tt.files {
			all[name] = text
		}
		if got := files(t, all).Has(Kprobe); got != tt.want {
			t.Errorf("%s: kprobes: %v", tt.name, got)
		}
	}
}

func TestRecordedFeatures(t *testing.T) {
	tests := []struct {
		kernel  string
		feature Feature
		want    bool
	}{
		{"5.10-amd64", Kprobe, true},
		{"5.10-amd64", KprobeMulti, false},
		{"6.18-amd64", Kprobe, false}, // it is built without
		{"6.18-amd64", RawTracepointsExact, true},
		{"5.10-amd64", TypedTask, false},
		{"6.12-arm64", TypedTask, true},
		{"6.18-amd64", TypedTask, true},
		{"7.3-amd64", KprobeMulti, true},
		{"7.3-amd64", RawTracepointsExact, false},
		{"6.12-arm64", KprobeMulti, false},
		{"6.12-arm64", MissedCounts, true},
	}
	for _, tt := range tests {
		if got := open(t, tt.kernel).Has(tt.feature); got != tt.want {
			t.Errorf("%s has %s: %v", tt.kernel, tt.feature, got)
		}
	}
}

// Every recorded feature is one, so that a typing error in a list shows.
func TestFeatureLists(t *testing.T) {
	for _, name := range recorded.Names() {
		for feature := range open(t, name).recorded() {
			if _, ok := FeatureInfo(feature); !ok {
				t.Errorf("%s: no feature is called %s", name, feature)
			}
		}
		text, err := fs.ReadFile(recorded.Files(name), "features")
		if err != nil || !strings.HasPrefix(string(text), "#") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, row := range Features {
		if row.Since[0] < 4 {
			t.Errorf("row of %s is not complete", row.Feature)
		}
	}
}

// The prober is asked once, may ask back, and its "do not know" leaves the
// answer to the version.
func TestProber(t *testing.T) {
	k := files(t, map[string]string{"proc/sys/kernel/osrelease": "5.15.0"})
	if !k.Has(Cookie) {
		t.Fatal("5.15 has cookies")
	}
	asked := map[Feature]int{}
	k.SetProber(func(f Feature) (known, has bool) {
		asked[f]++
		switch f {
		case Cookie:
			return true, k.Has(Kprobe)
		case Kprobe:
			return true, false
		}
		return false, false
	})
	for range 2 {
		if k.Has(Cookie) || !k.Has(FetchingAtomics) {
			t.Error("the prober's answers do not count")
		}
	}
	if asked[Cookie] != 1 || asked[Kprobe] != 1 || asked[FetchingAtomics] != 1 {
		t.Errorf("asked %v", asked)
	}
}
