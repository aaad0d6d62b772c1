package exporter

import (
	"strings"
	"testing"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// What is right in the configuration and in the script, but not together.
func TestWrongMetrics(t *testing.T) {
	tests := []struct {
		name    string
		metrics string
		script  string
		want    string
	}{
		{"no such map", `{map: "@lat"}`, on(`@late = count();`), `:1:50: script net has no map @lat; did you mean "@late"?`},
		{"no maps at all", `{map: "@lat"}`, on(``), `:1:50: script net has no map @lat: it has none`},
		{"too many labels", `{map: "@", labels: [a, b]}`, on(`@[comm] = count();`), `:1:63: 2 labels for 1 key of @`},
		{"a histogram as counter", `{map: "@", type: counter}`, on(`@ = quantize((u64)pid);`), `:1:61: @ cannot be a counter: it is a histogram`},
		{"buckets of a counter", `{map: "@", buckets: {min: 1}}`, on(`@ = count();`), `:1:64: buckets are for histograms: @ is a counter`},
		{"too many steps", ``, on(`@ = lquantize(pid, 0, 1000, 10);`),
			`:1:32: lquantize(…) makes 101 bounds of a metric, the limit is 64: use fewer steps, or give others with buckets: in the configuration`},
		{"times among numbers", `{map: "@", buckets: [1ms, 5ms]}`, on(`@ = quantize(pid);`), `:1:64: buckets: 1ms is a time, but @ is not in seconds: write a number`},
		{"bounds between which is nothing", `{map: "@", buckets: [0.1, 0.5, 1]}`, on(`@ = quantize(pid);`), `:1:64: buckets: 0.1 and 0.5 are one bound, no number of @ is between them`},
		{"a bound out of reach", `{map: "@", buckets: [1, 1e20]}`, on(`@ = quantize(pid);`), `:1:64: buckets: 1e20 is more than a 64-bit number of @ can reach`},
		{"unit of a duration", `{map: "@", unit: bytes}`, on(`@ = sum(time - time);`), `:1:61: @ holds times, which are exported in seconds: unit bytes cannot be`},
		{"scale of a duration", `{map: "@", scale: 1e-6}`, on(`@ = sum(time - time);`), `:1:62: @ holds times, which are turned into seconds without a scale: remove it`},
		{"a table of text", `{map: "@", export: true}`, on(`@ = str(comm, 8);`), `:1:63: @ holds no numbers: only numbers can be exported`},
		{"keys of a map without keys", `{map: "@", max_entries: 5, overflow: drop}`, on(`@ = count();`),
			":1:68: max_entries: @ has no keys to limit: remove it\nc.yaml:1:81: overflow: @ has no keys, so it cannot overflow: remove it"},
		{"a table that drops", `{map: "@", overflow: drop}`, on(`@[comm] = (u64)pid;`),
			`:1:65: overflow: @ is a table, which always forgets its oldest key: remove it, or write evict`},
		{"a name for a table that is not exported", `{map: "@", name: x}`, on(`@ = (u64)pid;`),
			`:1:61: name: @ is a table, which is exported only on request: add export: true`},
		{"two maps, one name", ``, on(`@x = count(); $x = count();`),
			`:1:18: map $x of script net would be exported as ply_net_x_total, which collides with ply_net_x_total of map @x, script net: set name: in one of them`},
		{"a name of Prometheus' own", `{map: "@", name: up}`, on(`@ = count();`), `:1:61: metric name up belongs to Prometheus, which makes it of each target: choose another with name:`},
		{"another", `{map: "@", name: scrape_duration_seconds}`, on(`@ = max(pid);`), `:1:61: metric name scrape_duration_seconds belongs to Prometheus, which makes it of each target: choose another with name:`},
		{"a name of the reload's", `{map: "@", name: ply_exporter_config_info}`, on(`@ = count();`), `:1:61: metric name ply_exporter_config_info belongs to the exporter's own ply_exporter_*: choose another with name:`},
		{"a name of the machine's programs", `{map: "@", name: ply_host_bpf_programs_unseen_total}`, on(`@ = count();`),
			`:1:61: metric name ply_host_bpf_programs_unseen_total belongs to the exporter's own ply_host_bpf_program*: choose another with name:`},
		{"an own name", `{map: "@", name: ply_script_up}`, on(`@ = count();`), `:1:61: metric name ply_script_up belongs to the exporter's own ply_script_up: choose another with name:`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML(tt.metrics)))
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			_, fatal := compile(cfg, &fakeBackend{scripts: map[string]string{"S": tt.script}})
			if got := fatal.Error(); got != "c.yaml"+tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, "c.yaml"+tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	b := &fakeBackend{
		scripts: map[string]string{"S": on(`pod = comm; @bytes[pod] = count(); @ms[cpu] = quantize((s64)pid);`)},
		checks:  map[string]error{"T": &plylang.Error{Msg: "no function tcp_x", Missing: true}},
	}
	cfg, err := config.Parse("c.yaml", []byte("scripts:\n  - {name: net, script: S, metrics: [{map: \"@ms\", name: latency_ms}]}\n  - {name: tcp, script: T}\n"))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	var out strings.Builder
	err = Check(&out, cfg, b, Limits{Series: 50000})
	if err == nil || err.Error() != "c.yaml:3:25: no function tcp_x" {
		t.Errorf("got error %v", err)
	}
	for _, want := range []string{
		"ply_net_bytes_total{pod} counter\n",
		"at most 10,241 series, about ",
		"latency_ms{cpu} histogram\n",
		"        le: the powers of 2 from 1 to 1.6777216e+07\n",
		"at most 56 series, about 8 KiB of kernel memory\n", // of two CPUs
		`label "pod" is set by scraping itself, this one becomes exported_pod: give it another name with labels:`,
		"(s64)pid may be negative: such values count in the lowest bucket; if ((s64)pid >= 0) or a predicate keeps them out",
		"metric latency_ms: metric names should not contain abbreviated units",
		"script tcp: does not run here\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Memory and series of a machine with 256 CPUs: what adds up takes no more because
// of them, and the room of a table grows.
func TestCheckOfOtherMachine(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{"S": on(`@n[comm] = count(); @most[comm] = max(pid); at[tid] = time;`)}}
	cfg, err := config.Parse("c.yaml", []byte(oneScriptYAML("")))
	if err != nil {
		t.Fatal(plylang.Detail(err))
	}
	compiler().AssumeCPUs(256)
	defer compiler().AssumeCPUs(0)
	var out strings.Builder
	if err := Check(&out, cfg, b, Limits{}); err != nil {
		t.Fatal(plylang.Detail(err))
	}
	for _, want := range []string{
		"script net: 1 program, 1 attach point, about 25.7 MiB of kernel memory\n",
		"ply_net_n_total{comm} counter\n",
		"at most 10,241 series, about 997 KiB of kernel memory\n",
		"ply_net_most{comm} gauge (the largest since the script started, so that it never falls: quantize() tells what is recent)\n",
		"at most 10,241 series, about 21.0 MiB of kernel memory\n",
		"max() keeps a value for each of 256 CPUs, 21 MiB in all: lower max_entries of @most",
		"at is not exported, about 3.75 MiB of kernel memory\n",
		"all scripts together: at most 20,482 series, about 25.7 MiB of kernel memory\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// Whose limit the number of keys is, why a sum is a gauge, where a label has its
// name from, and whose fault it is that a script does not run.
func TestCheckSaysWhy(t *testing.T) {
	b := &fakeBackend{scripts: map[string]string{
		"A": on(`@h[comm] = quantize(pid); @c[comm] = count(); @s = sum((s64)pid); @m[comm] = count(); pod = comm; @p[pod] = count(); @e[pid % 8] = count(); @top = max((u64)pid); @last = max(walltime);`),
		"B": on(`@[comm] = quantize(pid);`), "C": on(`@ = count();`),
	}}
	var out strings.Builder
	for _, yaml := range []string{
		"defaults: {max_entries: 5000}\nscripts: [{name: a1_s, script: A, metrics: [{map: \"@m\", max_entries: 7}]}]\n",
		"scripts: [{name: b, script: B}, {name: c, script: C, metrics: [{map: \"@x\"}]}]\n",
		"defaults: {max_entries: 100}\nscripts: [{name: d, script: B}]\n",
	} {
		cfg, err := config.Parse("c.yaml", []byte(yaml))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		_ = Check(&out, cfg, b, Limits{})
	}
	for _, want := range []string{
		"keys: 1,024, the default of histograms: max_entries of defaults, 5,000, is for other maps\n",
		"keys: 5,000, by max_entries of defaults\n",
		"ply_a1_s_s gauge ((s64)pid is signed, so that the sum can fall: type: counter says that it does not)\n",
		"ply_a1_s_top gauge (the largest since the script started, so that it never falls: quantize() tells what is recent)\n",
		"ply_a1_s_last_timestamp_seconds gauge\n",
		"keys: 7, by its max_entries\n",
		"keys: 8, as many as its key can have\n",
		"c.yaml:2:165: label \"pod\" is set by scraping itself",
		"keys: 1,024, by default\n",
		"script c: has errors\n",
		"keys: 100, by max_entries of defaults\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "abbreviated") {
		t.Errorf("the name of a script is taken for a unit in\n%s", out.String())
	}
}
