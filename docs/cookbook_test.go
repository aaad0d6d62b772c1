package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/checked"
	"ply-exporter/internal/promtest"
	"ply-exporter/plylang"
)

// What the recipes export is compared by internal/values. Here it is whether they
// are complete, and whether Prometheus takes what they say.

var (
	recipeHead  = regexp.MustCompile(`(?m)^### (.*)$`)
	codeLine    = regexp.MustCompile(`(?m)^ *[^ #\n].*$`)
	promqlBlock = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")
)

// recipesOf returns the recipes of the page by their question.
func recipesOf(page string) map[string]string {
	all := map[string]string{}
	heads := recipeHead.FindAllStringSubmatchIndex(page, -1)
	for i, head := range heads {
		end := len(page)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		all[page[head[2]:head[3]]] = page[head[1]:end]
	}
	return all
}

// Each recipe has a script, a query, and says what it does not count.
func TestRecipesAreComplete(t *testing.T) {
	all := recipesOf(Cookbook)
	if len(all) < 25 {
		t.Errorf("the cookbook has %d recipes, want 25 at least", len(all))
	}
	for question, text := range all {
		if !yamlBlock.MatchString(text) || !promqlBlock.MatchString(text) || !strings.Contains(text, "Not counted:") {
			t.Errorf("%s has no script, no query, or does not say what is not counted", question)
		}
		if !strings.HasSuffix(question, "?") {
			t.Errorf("%s is no question", question)
		}
	}
}

// The scripts are as short as they can be, in canonical spelling, and compile
// without a warning for every kernel that has what they need.
func TestScriptsOfTheCookbook(t *testing.T) {
	for _, name := range []string{"5.10-amd64", "6.18-amd64", "7.3-amd64"} {
		backend := checked.Backend(t, name)
		for _, match := range yamlBlock.FindAllStringSubmatch(Cookbook, -1) {
			text := match[1]
			if !strings.HasPrefix(text, "scripts:") {
				text = "scripts:\n" + text
			}
			cfg, err := config.Parse("cookbook.md", []byte(text))
			if err != nil {
				t.Fatal(plylang.Detail(err))
			}
			checkRecipe(t, name, cfg, backend)
		}
	}
}

func checkRecipe(t *testing.T, kernelName string, cfg *config.Config, backend exporter.Backend) {
	t.Helper()
	for _, s := range cfg.Scripts {
		if lines := len(codeLine.FindAllString(s.Source.Text, -1)); lines > 10 {
			t.Errorf("script %s has %d lines, more than 10", s.Name, lines)
		}
		if got, err := plylang.Format(s.Source); err != nil || strings.TrimSpace(got) != strings.TrimSpace(s.Source.Text) {
			t.Errorf("script %s is written\n%s\nand formatted\n%s", s.Name, s.Source.Text, got)
		}
	}
	said, err := checked.Scripts(backend, cfg.Scripts...)
	if err != nil && !strings.Contains(said, "does not run here") {
		t.Errorf("%s: %s", kernelName, plylang.Detail(err))
	}
	if checked.Warns(said) {
		t.Errorf("%s: %s", kernelName, said)
	}
}

// Prometheus understands the queries.
func TestQueriesOfTheCookbook(t *testing.T) {
	rules := "groups:\n  - name: queries\n    rules:\n"
	for i, match := range promqlBlock.FindAllStringSubmatch(Cookbook, -1) {
		rules += fmt.Sprintf("      - record: query:%d\n        expr: |\n          %s\n", i, strings.ReplaceAll(strings.TrimSpace(match[1]), "\n", "\n          "))
	}
	if err := promtest.CheckRules(t, rules); err != nil {
		t.Errorf("%v\n%s", err, rules)
	}
}

// An alert fires at the first values of its series and not at the second; a series
// without values is not there. The text of series is that of promtool.
type alert struct{ fires, silent map[string]string }

var cookbookAlerts = map[string]alert{
	"OutOfFilesOrSpace": {
		map[string]string{`ply_call_errors_total{syscall="sys_openat", errno="EMFILE"}`: "0+3x60"},
		map[string]string{`ply_call_errors_total{syscall="sys_openat", errno="EMFILE"}`: "9x60", `ply_call_errors_total{syscall="sys_openat", errno="ENOENT"}`: "0+3x60"},
	},
	"BackupTooOld": {
		map[string]string{`ply_backup_success_timestamp_seconds{instance="a"}`: "-95000x60", `process_start_time_seconds{job="ply-exporter", instance="a"}`: "-99000x60"},
		map[string]string{`ply_backup_success_timestamp_seconds{instance="a"}`: "-5000x60", `process_start_time_seconds{job="ply-exporter", instance="a"}`: "-99000x60"},
	},
	"DebuggerAttached":             {one(`ply_ptrace_attaches_total{user="root"}`, "0x50 1x10"), one(`ply_ptrace_attaches_total{user="root"}`, "0 1x60")},
	"RefusedToBecomeAnotherUser":   {one(`ply_setuid_total{user="bob", errno="EPERM"}`, "0+1x60"), one(`ply_setuid_total{user="bob", errno="OK"}`, "0+1x60")},
	"ClockWasSet":                  {one(`ply_clock_sets_total{syscall="sys_clock_settime", errno="OK"}`, "0x50 1x10"), one(`ply_clock_sets_total{syscall="sys_clock_settime", errno="EPERM"}`, "0x50 1x10")},
	"ProgramCrashes":               {one(`ply_crashes_total{comm="web", signal="SIGSEGV"}`, "0+1x60"), one(`ply_crashes_total{comm="web", signal="SIGSEGV"}`, "1x60")},
	"WaitsForCPU":                  {one(`ply_cpu_wait_seconds_total{cgroup="/system.slice/a.service"}`, "0+40x60"), one(`ply_cpu_wait_seconds_total{cgroup="/user.slice"}`, "0+40x60")},
	"CPUIsBusyWithPackets":         {one(`ply_softirq_time_seconds_sum{kind="NET_RX"}`, "0+55x60"), one(`ply_softirq_time_seconds_sum{kind="SCHED"}`, "0+55x60")},
	"InterruptStorm":               {one(`ply_device_interrupts_total{interrupt="eth0"}`, "0+9000000x60"), one(`ply_device_interrupts_total{interrupt="eth0"}`, "0+900000x60")},
	"StartsInALoop":                {one(`ply_starts_total{cgroup="/a"}`, "0+700x60"), one(`ply_starts_total{cgroup="/a"}`, "0+500x60")},
	"PortRefusesUs":                {one(`ply_connect_failures_total{port="5432", errno="ECONNREFUSED"}`, "0+90x60"), one(`ply_connect_failures_total{port="5432", errno="ETIMEDOUT"}`, "0+90x60")},
	"PortIsScannedOrServiceIsDown": {one(`ply_closed_ports_total{port="80"}`, "0+900x60"), one(`ply_closed_ports_total{port="80"}`, "0+90x60")},
	"SocketBuffersOverflow":        {one(`ply_drops_total{reason="SOCKET_RCVBUFF"}`, "0+90x60"), one(`ply_drops_total{reason="NO_SOCKET"}`, "0+90x60")},
	"ConnectionsOpenSlowly": {
		histogram(`ply_tcp_connect_seconds`, "0.5", "0x60", "1", "0+9x60", "+Inf", "0+9x60"),
		histogram(`ply_tcp_connect_seconds`, "0.5", "0+9x60", "1", "0+9x60", "+Inf", "0+9x60"),
	},
	"ConnectionsPileUp":    {one(`ply_connections_open{port="80"}`, "6000x60"), one(`ply_connections_open{port="80"}`, "4000x60")},
	"SegmentsAreLost":      {one(`ply_retransmits_total{port="443"}`, "0+400x60"), one(`ply_retransmits_total{port="443"}`, "0+200x60")},
	"AcceptQueueOverflows": {one(`ply_listen_overflow_total{port="80"}`, "0+1x60"), one(`ply_listen_overflow_total{port="80"}`, "5x60")},
	"AsksTheDNSInALoop":    {one(`ply_dns_packets_total{interface="eth0"}`, "0+20000x60"), one(`ply_dns_packets_total{interface="eth0"}`, "0+9000x60")},
	"FileSystemIsSlow":     {histogram("ply_filesystem_reads_seconds", "0.2", "0x60", "0.5", "0+9x60", "+Inf", "0+9x60"), histogram("ply_filesystem_reads_seconds", "0.1", "0+9x60", "+Inf", "0+9x60")},
	"DiskErrors":           {one(`ply_disk_errors_total{device="sda", operation="read", errno="EIO"}`, "0x50 1x10"), one(`ply_disk_errors_total{device="sda", operation="discard", errno="EOPNOTSUPP"}`, "0+1x60")},
	"StallsForMemory":      {one(`ply_reclaim_seconds_sum{cgroup="/a"}`, "0+9x60"), one(`ply_reclaim_seconds_sum{cgroup="/a"}`, "0+3x60")},
	"OutOfMemory":          {one(`ply_oom_kills_total{cgroup="/a"}`, "0x50 1x10"), one(`ply_oom_kills_total{cgroup="/a"}`, "1x60")},
	"Thrashing":            {one(`ply_major_faults_total{comm="db"}`, "0+40000x60"), one(`ply_major_faults_total{comm="db"}`, "0+20000x60")},
	"ModuleLoaded": {
		map[string]string{`ply_module_loads_total{user="root", errno="OK", instance="a"}`: "0x50 1x10", `node_boot_time_seconds{instance="a"}`: "0x60"},
		map[string]string{`ply_module_loads_total{user="root", errno="OK", instance="a"}`: "0x50 1x10", `node_boot_time_seconds{instance="a"}`: "3000x60"},
	},
	"NamesResolveSlowly": {
		map[string]string{`ply_name_lookups_seconds_sum{comm="app"}`: "0+60x60", `ply_name_lookups_seconds_count{comm="app"}`: "0+100x60"},
		map[string]string{`ply_name_lookups_seconds_sum{comm="app"}`: "0+60x60", `ply_name_lookups_seconds_count{comm="app"}`: "0+200x60"},
	},
	"ConnectionsAreNotKept":       {one(`ply_tls_handshakes_total{comm="app"}`, "0+9000x60"), one(`ply_tls_handshakes_total{comm="app"}`, "0+5000x60")},
	"PythonCollectsGarbage":       {one(`ply_python_pauses_seconds_sum{comm="app"}`, "0+9x60"), one(`ply_python_pauses_seconds_sum{comm="app"}`, "0+5x60")},
	"PostgreSQLTableIsLocked":     {one(`ply_postgresql_table_waits_seconds_sum{database="5", relation="16384"}`, "0+40x60"), one(`ply_postgresql_table_waits_seconds_sum{database="5", relation="16384"}`, "0+20x60")},
	"PostgreSQLSortsOnDisk":       {one(`ply_postgresql_sorts_total{place="disk"}`, "0+70x60"), one(`ply_postgresql_sorts_total{place="memory"}`, "0+70x60")},
	"GoCollectsGarbageAllTheTime": {one(`ply_go_collections_total`, "0+200x60"), one(`ply_go_collections_total`, "0+90x60")},
	"StoppedByItsLimit":           {one(`ply_throttled_seconds_sum{cgroup="/a"}`, "0+20x60"), one(`ply_throttled_seconds_sum{cgroup="/a"}`, "0+10x60")},
	"SlowFsync":                   {histogram("ply_fsync_seconds", "0.25", "0x60", "0.5", "0+9x60", "+Inf", "0+9x60"), histogram("ply_fsync_seconds", "0.25", "0+9x60", "0.5", "0+9x60", "+Inf", "0+9x60")},
	"CommitsTooSlow":              {histogram("ply_commit_seconds", "0.005", "0+90x60", "+Inf", "0+100x60"), histogram("ply_commit_seconds", "0.005", "0+9999x60", "+Inf", "0+10000x60")},
}

func one(series, values string) map[string]string { return map[string]string{series: values} }

// histogram is one with these values by bound, with all labels that alerts ask for.
func histogram(name string, values ...string) map[string]string {
	all := map[string]string{name + `_count{port="443", filesystem="nfs"}`: values[len(values)-1]}
	for i := 0; i < len(values); i += 2 {
		all[fmt.Sprintf(`%s_bucket{le=%q, port="443", filesystem="nfs"}`, name, values[i])] = values[i+1]
	}
	return all
}

func TestAlertsOfTheCookbook(t *testing.T) {
	tested := map[string]bool{}
	for _, rules := range rulesOf(t, "cookbook.md") {
		for _, match := range alertName.FindAllStringSubmatch(rules, -1) {
			name := match[1]
			a, ok := cookbookAlerts[name]
			if tested[name] = true; !ok {
				t.Errorf("no test for %s", name)
				continue
			}
			if err := promtest.TestAlerts(t, rules, promtest.AlertTest{Alert: name, Series: a.fires, Fires: true}, promtest.AlertTest{Alert: name, Series: a.silent}); err != nil {
				t.Error(err)
			}
		}
	}
	for name := range cookbookAlerts {
		if !tested[name] {
			t.Errorf("the cookbook has no alert %s", name)
		}
	}
}
