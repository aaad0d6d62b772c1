package exporter

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// An selfMetric is one of the exporter's own metrics. They keep "ply_" whatever
// the configuration's namespace is.
type selfMetric struct {
	name   string
	typ    dto.MetricType
	help   string
	labels []string // sorted
}

const (
	gauge   = dto.MetricType_GAUGE
	counter = dto.MetricType_COUNTER
)

var (
	scriptUp         = &selfMetric{"ply_script_up", gauge, "Whether the script runs and its maps could be read.", []string{"script"}}
	scriptWaiting    = &selfMetric{"ply_script_waiting", gauge, "Whether a program or library that the script needs is not there. Absent of scripts that name none.", []string{"script"}}
	scriptInfo       = &selfMetric{"ply_script_info", gauge, "What runs: the hash of the compiled script, always 1.", []string{"hash", "script"}}
	scriptFaults     = &selfMetric{"ply_script_memory_faults_total", counter, "Readings of the memory of processes that failed, and gave zero or the empty string. Absent of scripts that read none.", []string{"script"}}
	scriptDuration   = &selfMetric{"ply_script_scrape_duration_seconds", gauge, "Time the last reading of the script's maps took.", []string{"script"}}
	probeAttached    = &selfMetric{"ply_probe_attached", gauge, "Whether the probe specification is attached, and in which way.", []string{"kind", "probe", "script"}}
	probeMissed      = &selfMetric{"ply_probe_missed_total", counter, "Events the kernel did not run the probe for. Absent where the kernel does not count them.", []string{"probe", "script"}}
	probeRuns        = &selfMetric{"ply_probe_runs_total", counter, "Runs of the programs that serve the probe specification. Absent unless the kernel always keeps statistics (--bpf.stats, or kernel.bpf_stats_enabled=1).", []string{"probe", "script"}}
	probeRunSeconds  = &selfMetric{"ply_probe_run_seconds_total", counter, "Time of these runs. Absent unless the kernel always keeps statistics (--bpf.stats, or kernel.bpf_stats_enabled=1).", []string{"probe", "script"}}
	eventsLost       = &selfMetric{"ply_events_lost_total", counter, "Prints of the script that were lost, because they came faster than they were read.", []string{"script"}}
	linesOmitted     = &selfMetric{"ply_lines_omitted_total", counter, "Lines printed by the script that were left out of the log because of its limit.", []string{"script"}}
	mapEntries       = &selfMetric{"ply_map_entries", gauge, "Keys in the map.", []string{"map", "script"}}
	mapMaxEntries    = &selfMetric{"ply_map_max_entries", gauge, "Keys the map has room for. Absent of maps with room for all that there can be.", []string{"map", "script"}}
	mapSurplus       = &selfMetric{"ply_map_surplus_entries", gauge, "Keys beyond the maximum that a map which evicts still holds. They are counted, but not exported.", []string{"map", "script"}}
	mapFiltered      = &selfMetric{"ply_map_filtered_entries", gauge, "Keys in the map that are not exported, because a label with keep: true does not match.", []string{"map", "script"}}
	mapDropped       = &selfMetric{"ply_map_dropped_total", counter, "Updates the map refused, because it was full or for another reason; of elapsed, the calls of which it is not known when they began.", []string{"map", "script"}}
	mapOverflow      = &selfMetric{"ply_map_overflow_total", counter, "Updates of keys for which the map had no room. They are in the series whose labels say other.", []string{"map", "script"}}
	mapExpired       = &selfMetric{"ply_map_expired_total", counter, "Keys that have expired: they were not updated for as long as expire says.", []string{"map", "script"}}
	mapLateClears    = &selfMetric{"ply_map_late_clears_total", counter, "Times that a clear() was carried out late, because the script clears the map faster than it can be read and emptied. Updates in between are cleared, too.", []string{"map", "script"}}
	mapMemory        = &selfMetric{"ply_map_memory_bytes", gauge, "Kernel memory of the map.", []string{"map", "script"}}
	mapNegative      = &selfMetric{"ply_map_negative_total", counter, "Negative values counted in the histogram's lowest bucket.", []string{"map", "script"}}
	patternGroups    = &selfMetric{"ply_cgroup_pattern_cgroups", gauge, "Cgroups that match the pattern.", []string{"pattern", "script"}}
	patternLeftOut   = &selfMetric{"ply_cgroup_pattern_left_out", gauge, "Cgroups that match the pattern and count as if they did not, because there are more than there is room for.", []string{"pattern", "script"}}
	scriptOverBudget = &selfMetric{"ply_script_over_budget", gauge, "Whether the script is detached because its programs took more of a CPU than its budget.", []string{"script"}}
	scriptCPU        = &selfMetric{"ply_script_cpu_ratio", gauge, "Share of one CPU that the script's programs take, sampled over a minute. Absent where the exporter may not know.", []string{"script"}}
	scriptEvent      = &selfMetric{"ply_script_run_seconds", gauge, "Mean time of a run of the script's programs, with the time that measuring takes. Absent where the exporter may not know.", []string{"script"}}
	scriptSample     = &selfMetric{"ply_script_sample_ratio", gauge, "Part of the events that a script with sample: looks at. What it exports stands for all events.", []string{"script"}}
	seriesOmitted    = &selfMetric{"ply_scrape_series_omitted", gauge, "Series left out of the last scrape because of the limit on series.", []string{"script"}}
)

var selfMetrics = []*selfMetric{
	scriptUp, scriptWaiting, scriptInfo, scriptFaults, scriptDuration, probeAttached, probeMissed, probeRuns, probeRunSeconds, eventsLost, linesOmitted,
	scriptOverBudget, scriptCPU, scriptEvent, scriptSample, mapEntries, mapMaxEntries, mapSurplus, mapFiltered, mapDropped, mapOverflow, mapExpired, mapLateClears, mapMemory, mapNegative, patternGroups, patternLeftOut, seriesOmitted,
}

// selfFamilies collects samples of own metrics.
type selfFamilies map[*selfMetric]*dto.MetricFamily

// add adds a sample; values are those of m.labels. Samples with equal labels
// must not be added.
func (o selfFamilies) add(m *selfMetric, v float64, values ...string) {
	f := o[m]
	if f == nil {
		f = &dto.MetricFamily{Name: &m.name, Help: &m.help, Type: m.typ.Enum()}
		o[m] = f
	}
	sample := &dto.Metric{}
	for i := range m.labels {
		sample.Label = append(sample.Label, &dto.LabelPair{Name: &m.labels[i], Value: &values[i]})
	}
	if m.typ == counter {
		sample.Counter = &dto.Counter{Value: &v}
	} else {
		sample.Gauge = &dto.Gauge{Value: &v}
	}
	f.Metric = append(f.Metric, sample)
}

// startWith says that the counters of a script count since it started.
func (o selfFamilies) startWith(r *running) {
	created := timestamppb.New(r.created)
	for m, f := range o {
		if m.typ != counter {
			continue
		}
		script := slices.Index(m.labels, "script")
		for _, sample := range f.Metric {
			if sample.Label[script].GetValue() == r.conf.Name {
				sample.Counter.CreatedTimestamp = created
			}
		}
	}
}

// list returns the families with their samples in the order of their labels.
func (o selfFamilies) list() []*dto.MetricFamily {
	out := make([]*dto.MetricFamily, 0, len(o))
	for _, f := range o {
		slices.SortStableFunc(f.Metric, byLabels)
		out = append(out, f)
	}
	return out
}

// byLabels orders the metrics of a family by the values of their labels.
func byLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetValue(), b.GetValue()) })
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
