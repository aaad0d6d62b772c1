package exporter

import (
	"math/big"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

func TestInferName(t *testing.T) {
	tests := []struct {
		script, mapName, unit string
		counter               bool
		want                  string
	}{
		{"net", "@", "", true, "ply_net_total"},
		{"net", "$", "", true, "ply_net_total"},
		{"syscalls", "$syscalls", "", true, "ply_syscalls_total"},
		{"net", "rx", "", false, "ply_net_rx"},
		{"io", "@latency", "seconds", false, "ply_io_latency_seconds"},
		{"io", "@latency_seconds", "seconds", false, "ply_io_latency_seconds"},
		{"io", "@busy", "seconds", true, "ply_io_busy_seconds_total"},
		{"io", "@busy_seconds_total", "seconds", true, "ply_io_busy_seconds_total"},
		{"io", "@bytes", "bytes", true, "ply_io_bytes_total"},
		{"io", "@hit", "ratio", false, "ply_io_hit_ratio"},
		{"net", "@rxBytes", "", true, "ply_net_rx_bytes_total"},
		{"net", "@RXBytes", "", true, "ply_net_rx_bytes_total"},
		{"net", "@a1B", "", false, "ply_net_a1_b"},
		{"sizes_", "@_x", "", true, "ply_sizes_x_total"},
		{"sizes_", "@", "seconds", false, "ply_sizes_seconds"},
		{"x", "@y_", "", true, "ply_x_y_total"},
	}
	for _, tt := range tests {
		s := &config.Script{Name: tt.script, Namespace: "ply"}
		if got := inferName(s, tt.mapName, tt.unit, tt.counter); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.script, tt.mapName, got, tt.want)
		}
	}
}

func TestNamesCollide(t *testing.T) {
	tests := []struct {
		a, b string // a name ending in _total is a counter's
		want bool
	}{
		{"x", "x", true},
		{"x", "x_total", true},
		{"x_total", "x_bucket", true},
		{"x", "x_sum", true},
		{"x_count", "x", true},
		{"x_created", "x_total", true},
		{"x_info", "x", true},
		{"x_sum", "x_count", false},
		{"x", "xy", false},
		{"x", "x_size", false},
	}
	for _, tt := range tests {
		var c nameCheck
		for i, name := range []string{tt.a, tt.b} {
			m := &metric{name: name, script: &config.Script{Name: "s"}, decl: &plylang.Map{Name: "@"}}
			if strings.HasSuffix(name, "_total") {
				m.typ = dto.MetricType_COUNTER
			} else {
				m.typ = dto.MetricType_GAUGE
			}
			err := c.add(m)
			if got := err != nil; got != (tt.want && i == 1) {
				t.Errorf("%s after %s: got %v", tt.b, tt.a, err)
			}
		}
	}
}

func TestOwnNamesAreTaken(t *testing.T) {
	for name, want := range map[string]bool{
		"ply_map_entries": true, "ply_script_up": true, "ply_map_dropped": true, "ply_exporter_build_info": true,
		"go_goroutines": true, "process_cpu_seconds_total": true, "ply_map_size": false, "gone": false,
	} {
		if got := selfFamily(name) != ""; got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestInferLabels(t *testing.T) {
	comm := variable("comm", plylang.StringType(16))
	pid := variable("pid", plylang.U32)
	device := &plylang.Type{Kind: plylang.Int, Size: 4, Display: plylang.DisplayDevice}
	tests := []struct {
		name string
		uses [][]plylang.Expr
		want string
	}{
		{"variable", [][]plylang.Expr{{comm}}, "comm"},
		{"two keys", [][]plylang.Expr{{comm, pid}}, "comm pid"},
		{"caller is func", [][]plylang.Expr{{variable("caller", plylang.U64)}}, "func"},
		{"local", [][]plylang.Expr{{local("fileName", plylang.U64)}}, "file_name"},
		{"field", [][]plylang.Expr{{member("data", "prev_comm", plylang.StringType(16))}}, "prev_comm"},
		{"text of a field", [][]plylang.Expr{{call("str", plylang.StringType(64), member("data", "filename", plylang.U64))}}, "filename"},
		{"cast", [][]plylang.Expr{{typed(&plylang.Cast{To: "u32", X: pid}, plylang.U32)}}, "pid"},
		{"display function", [][]plylang.Expr{{call("dev", device, member("data", "dev", plylang.U32))}}, "dev"},
		{"table", [][]plylang.Expr{{typed(&plylang.MapRef{Name: "@logLevel", Keys: []plylang.Expr{pid}}, plylang.U32)}}, "log_level"},
		{"a table without a name", [][]plylang.Expr{{typed(&plylang.MapRef{Name: "@"}, plylang.U32)}}, "key"},
		{"another function", [][]plylang.Expr{{call("log2", plylang.S64, pid)}}, "key"},
		{"same field in two records", [][]plylang.Expr{{member("data", "dev", plylang.U32)}, {member("args", "dev", plylang.U32)}}, "dev"},
		{"uses that differ", [][]plylang.Expr{{pid}, {variable("tid", plylang.U32)}}, "key"},
		{"clash", [][]plylang.Expr{{pid, pid, pid}}, "pid pid_2 pid_3"},
		{"le", [][]plylang.Expr{{local("le", plylang.U64)}}, "le_"},
		{"two underscores", [][]plylang.Expr{{local("__x", plylang.U64)}}, "__x_"},
		{"same constant everywhere", [][]plylang.Expr{{text("size")}, {text("size")}}, ""},
		{"a constant beside a key", [][]plylang.Expr{{text("size"), comm}}, "comm"},
		{"constants that differ", [][]plylang.Expr{{text("in")}, {text("out")}}, "key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &plylang.Map{Name: "@"}
			for _, keys := range tt.uses {
				m.Uses = append(m.Uses, &plylang.MapRef{Name: "@", Keys: keys})
			}
			for _, k := range tt.uses[0] {
				m.Keys = append(m.Keys, k.Type())
			}
			var names []string
			for _, l := range inferLabels(m) {
				names = append(names, l.name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// limits reads bounds as the configuration does; "" is one that is not given.
func limits(t *testing.T, lo, hi string) *config.Buckets {
	t.Helper()
	read := func(text string) *config.Bound {
		if text == "" {
			return nil
		}
		b, err := config.ParseBound(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return &config.Buckets{Min: read(lo), Max: read(hi)}
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name     string
		unit     string
		scale    scale
		min, max string
		n        int
		first    uint64 // thresholds
		last     uint64
		firstLe  float64
		lastLe   float64
	}{
		{"numbers", "", one, "", "", 25, 1, 1 << 24, 1, 1 << 24},
		{"durations", "seconds", nanoseconds, "", "", 25, 953, 16e9, 9.5367431640625e-07, 16},
		{"rounded outwards", "seconds", nanoseconds, "1ms", "10s", 15, 976562, 16e9, 0.0009765625, 16},
		{"powers of two stay", "bytes", one, "4Ki", "1M", 9, 4096, 1 << 20, 4096, 1 << 20},
		{"only a minimum", "", one, "1000", "", 16, 512, 1 << 24, 512, 1 << 24},
		{"no integer between two bounds", "", one, "0.1", "4", 4, 0, 4, 0.5, 4},
		{"milliseconds", "seconds", newScale(big.NewRat(1, 1000)), "1ms", "1s", 11, 0, 1000, 0.0009765625, 1},
		{"zero", "", one, "0", "8", 5, 0, 8, 0, 8},
		{"zero seconds", "seconds", nanoseconds, "0s", "", 26, 0, 16e9, 0, 16},
		{"numbers without a sign", "", one, "4611686018427387904", "9223372036854775808", 2, 1 << 62, 1 << 63, 1 << 62, 1 << 63},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := quantized(tt.unit, tt.scale, nil)
			if tt.min != "" || tt.max != "" {
				m.given.Buckets = limits(t, tt.min, tt.max)
			}
			b, err := m.histogramBounds()
			if err != nil {
				t.Fatal(err)
			}
			n := len(b.les)
			if n != tt.n || b.thresholds[0].Uint64() != tt.first || b.thresholds[n-1].Uint64() != tt.last || b.les[0] != tt.firstLe || b.les[n-1] != tt.lastLe {
				t.Errorf("got %d bounds, thresholds %d to %d, le %v to %v", n, b.thresholds[0], b.thresholds[n-1], b.les[0], b.les[n-1])
			}
			for i := 1; i < n; i++ {
				if b.thresholds[i].Cmp(b.thresholds[i-1]) <= 0 {
					t.Errorf("threshold %d is not above the one before", i)
				}
			}
		})
	}
}

func TestWrongBounds(t *testing.T) {
	tests := []struct{ unit, min, max, want string }{
		{"", "8", "4", "buckets: min is above max"},
		{"", "64M", "", "buckets: min 64M is above 2^24, the highest bound unless max is given, too"},
		{"", "", "0.4", "buckets: max 0.4 is below 2^0, the lowest bound unless min is given, too"},
		{"", "0", "0.4", "buckets: max 0.4 is below 2^0, the lowest bound above 0 unless min says another: write a list of bounds"},
		{"", "1e-30", "1", "buckets: 101 bounds from 2^-100 to 2^0 are too many, the limit is 64: raise min or lower max"},
		{"bytes", "1ms", "1s", "buckets: 1ms is a time, but @ is not in seconds: write a number"},
		{"", "1e18", "1e20", "buckets: max is more than a 64-bit number of @ can reach"},
	}
	for _, tt := range tests {
		_, err := quantized(tt.unit, one, limits(t, tt.min, tt.max)).histogramBounds()
		if err == nil || err.Msg != tt.want {
			t.Errorf("%s to %s: got %v", tt.min, tt.max, err)
		}
	}
}
