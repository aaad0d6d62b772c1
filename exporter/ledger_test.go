package exporter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/tracer/decode"
)

// inPod is a group of a container.
func inPod(namespace, pod, container, workload string) fakeGroup {
	return fakeGroup{texts: []string{"/" + pod + "/" + container, namespace, pod, "u-" + pod, container, "i-" + container, workload}, age: time.Hour}
}

// groupsOf runs a script that counts by cgroup, with a label of the map.
func groupsOf(t testing.TB, body, label string) (*collector, *fakeTracer) {
	tracer := &fakeTracer{groups: map[int64]fakeGroup{}}
	c := run(t, &fakeBackend{
		scripts: map[string]string{"S": on(body)},
		tracers: map[string]*fakeTracer{"S": tracer},
	}, oneScriptYAML(`{map: "@", labels: [`+label+`]}`))
	return c, tracer
}

// count sets what each group has counted.
func (f *fakeTracer) count(counts map[int64]int64) {
	var rows []pair
	for _, group := range slices.Sorted(maps.Keys(counts)) {
		rows = append(rows, pair{words(group), words(counts[group])})
	}
	f.set(rows, time.Time{})
}

var groupLine = regexp.MustCompile(`(?m)^ply_net_total\{(.*)\} (\d+)$`)

// values returns the series of a scrape.
func values(t testing.TB, c *collector) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for _, m := range groupLine.FindAllStringSubmatch(scrape(t, c), -1) {
		all[strings.ReplaceAll(m[1], `"`, "")], _ = strconv.ParseInt(m[2], 10, 64)
	}
	return all
}

func wantValues(t *testing.T, c *collector, when string, want map[string]int64) {
	t.Helper()
	if got := values(t, c); !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", when, got, want)
	}
}

// What labels can be of is what a control group gives.
func TestKindsOfLabels(t *testing.T) {
	if got := decode.LabelNames(cgroupType); !slices.Equal(got, config.Kinds) {
		t.Errorf("a cgroup gives %v, labels are of %v", got, config.Kinds)
	}
}

func TestLabelsOfContainers(t *testing.T) {
	for _, tt := range []struct{ body, label, want string }{
		{`@[cgroup] = count();`, `{as: [namespace, pod, container]}`, "container=app,namespace=prod,pod=web-1"},
		{`@[cgroup] = count();`, `{as: [cgroup, pod_uid, container_id, workload]}`, "cgroup=/web-1/app,container_id=i-app,pod_uid=u-web-1,workload=web"},
		{`@[cgroup] = count();`, `{as: [{name: k8s_pod, of: pod, regexp: "(web).*"}, {of: container, map: {app: main}}]}`, "container=main,k8s_pod=web"},
		{`@[cgroup] = count();`, `cgroup`, "cgroup=1"},
		{`@[cgroup, cpu] = count();`, `{as: [pod]}, cpu`, "cpu=0,pod=web-1"},
		{`@[cpu, cgroup] = count();`, `{name: on, map: {0: first}}, {as: [pod]}`, "on=first,pod=web-1"},
	} {
		c, tracer := groupsOf(t, tt.body, tt.label)
		tracer.groups[1] = inPod("prod", "web-1", "app", "web")
		key := words(1)
		if strings.Contains(tt.body, "cgroup, cpu") {
			key = words(1, 0)
		} else if strings.Contains(tt.body, "cpu, cgroup") {
			key = words(0, 1)
		}
		tracer.set([]pair{{key, words(5)}}, time.Time{})
		if got := values(t, c); !maps.Equal(got, map[string]int64{tt.want: 5}) {
			t.Errorf("%s: %v, want %s", tt.label, got, tt.want)
		}
	}
}

// The counts of containers that ended stay in the series of their workload, and
// those of its new containers are added.
func TestWorkloadOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [namespace, workload]}`)
		web := func(n int) fakeGroup { return inPod("prod", fmt.Sprintf("web-%d", n), "app", "web") }
		tracer.groups = map[int64]fakeGroup{1: web(1), 2: web(2), 3: inPod("prod", "db-0", "db", "db"), 4: {age: time.Hour}}
		tracer.count(map[int64]int64{1: 100, 2: 50, 3: 7, 4: 1})
		wantValues(t, c, "at first", map[string]int64{"namespace=prod,workload=web": 150, "namespace=prod,workload=db": 7, "namespace=,workload=": 1})

		gone := web(1)
		gone.gone = true
		tracer.groups[1], tracer.groups[5] = gone, web(3)
		tracer.count(map[int64]int64{1: 110, 2: 50, 3: 7, 4: 1, 5: 3})
		wantValues(t, c, "after a restart", map[string]int64{"namespace=prod,workload=web": 163, "namespace=prod,workload=db": 7, "namespace=,workload=": 1})

		tracer.count(map[int64]int64{5: 4, 3: 7, 4: 1}) // the keys of the others are gone
		wantValues(t, c, "without the old keys", map[string]int64{"namespace=prod,workload=web": 164, "namespace=prod,workload=db": 7, "namespace=,workload=": 1})

		tracer.count(map[int64]int64{4: 1})
		time.Sleep(5 * time.Minute)
		wantValues(t, c, "between two pods", map[string]int64{"namespace=prod,workload=web": 164, "namespace=prod,workload=db": 7, "namespace=,workload=": 1})
		time.Sleep(6 * time.Minute)
		wantValues(t, c, "at the end", map[string]int64{"namespace=,workload=": 1})
	})
}

// A key that was away counts from nothing again, even if it has more than before.
func TestContainersThatComeBack(t *testing.T) {
	c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [workload]}`)
	tracer.groups[1] = inPod("prod", "web-1", "web", "web")
	tracer.count(map[int64]int64{1: 10})
	values(t, c)
	tracer.count(nil)
	wantValues(t, c, "away", map[string]int64{"workload=web": 10})
	tracer.count(map[int64]int64{1: 15})
	wantValues(t, c, "back", map[string]int64{"workload=web": 25})
}

// Series of a container that ended go, with what it counted last; those of a quiet
// one stay.
func TestEndOfContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [container]}`)
		web, quiet := inPod("prod", "web-1", "web", ""), inPod("prod", "web-1", "quiet", "")
		tracer.groups = map[int64]fakeGroup{1: web, 2: quiet}
		tracer.count(map[int64]int64{1: 100, 2: 50})
		wantValues(t, c, "at first", map[string]int64{"container=web": 100, "container=quiet": 50})

		time.Sleep(time.Hour)
		web.gone = true
		tracer.groups[1] = web
		tracer.count(map[int64]int64{1: 120, 2: 50})
		wantValues(t, c, "what was counted last", map[string]int64{"container=web": 120, "container=quiet": 50})
		time.Sleep(singleTTL / 2)
		wantValues(t, c, "a moment later", map[string]int64{"container=web": 120, "container=quiet": 50})
		time.Sleep(singleTTL)
		wantValues(t, c, "at the end", map[string]int64{"container=quiet": 50})

		tracer.count(map[int64]int64{1: 123, 2: 50}) // such as pages that are written back
		wantValues(t, c, "counted after the end", map[string]int64{"container=web": 3, "container=quiet": 50})
	})
}

// Containers that are young count together.
func TestYoungContainers(t *testing.T) {
	c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [namespace, pod, workload], min_age: 1m}`)
	young, old := inPod("prod", "job-1", "a", "job"), inPod("prod", "web-1", "b", "web")
	young.age = time.Second
	host := fakeGroup{texts: []string{"/system.slice/x.service"}}
	tracer.groups = map[int64]fakeGroup{1: young, 2: old, 3: host}
	tracer.count(map[int64]int64{1: 10, 2: 20, 3: 30})
	wantValues(t, c, "young", map[string]int64{"namespace=prod,pod=other,workload=job": 10, "namespace=prod,pod=web-1,workload=web": 20, "namespace=,pod=,workload=": 30})

	young.age = 2 * time.Minute
	tracer.groups[1] = young
	tracer.count(map[int64]int64{1: 15, 2: 20, 3: 30})
	wantValues(t, c, "grown up", map[string]int64{"namespace=prod,pod=other,workload=job": 10, "namespace=prod,pod=job-1,workload=job": 5, "namespace=prod,pod=web-1,workload=web": 20, "namespace=,pod=,workload=": 30})
}

// What a full map has no room for is beside them, and a group that ended before it
// counted anything has no series.
func TestOtherContainers(t *testing.T) {
	c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [pod], min_age: 1m}`)
	young, gone := inPod("prod", "job-1", "a", "job"), inPod("prod", "job-2", "a", "job")
	young.age, gone.gone = 0, true
	tracer.groups = map[int64]fakeGroup{1: young, 2: gone}
	for i, want := range []int64{15, 25} {
		tracer.count(map[int64]int64{1: 10, 2: 0})
		tracer.others = map[string][]byte{"@": words(int64(5 + 10*i))}
		wantValues(t, c, "beside young ones", map[string]int64{"pod=other": want})
	}
}

// Whatever becomes of groups, keys and names: what series have grown by, which are
// new with a start of their own, is what was counted, and none falls.
func TestNothingIsLostOfContainers(t *testing.T) {
	for _, ttl := range []string{"0s", "1s", "10m"} {
		synctest.Test(t, func(t *testing.T) {
			c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [pod, workload], min_age: 3s, ttl: `+ttl+`}`)
			r := rand.New(rand.NewPCG(1, 2))
			keys, before := map[int64]int64{}, map[string]int64{}
			counted, grown := int64(0), int64(0)
			for round := range 400 {
				group := int64(r.IntN(200))
				switch g := tracer.groups[group]; r.IntN(6) {
				case 0:
					tracer.groups[group] = inPod("x", fmt.Sprint("p", r.IntN(20)), "c", fmt.Sprint("w", r.IntN(5)))
				case 1:
					g.unknown = true
					tracer.groups[group] = g
				case 2:
					g.gone = true
					tracer.groups[group] = g
				case 3:
					g.age = 0
					tracer.groups[group] = g
				case 4:
					delete(keys, group) // as expiry does
					group++             // and it is not there again before the next reading
				}
				for group := range keys {
					if r.IntN(3) == 0 {
						n := r.Int64N(100)
						keys[group] += n
						counted += n
					}
				}
				if _, there := keys[group]; !there {
					n := 1 + r.Int64N(100)
					keys[group] = n
					counted += n
				}
				tracer.count(keys)
				now := values(t, c)
				for labels, v := range now {
					if v < before[labels] {
						t.Fatalf("ttl %s, round %d: %s falls from %d to %d", ttl, round, labels, before[labels], v)
					}
					grown += v - before[labels]
				}
				if grown != counted {
					t.Fatalf("ttl %s, round %d: %d were counted, series have grown by %d", ttl, round, counted, grown)
				}
				before = now
				time.Sleep(time.Duration(r.IntN(3)) * time.Second)
			}
		})
	}
}

// Totals outlive a reload that changes what is said of the metric, and the status page
// shows what a scrape does.
func TestTotalsOfContainersOutliveReload(t *testing.T) {
	c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [workload]}`)
	web := inPod("prod", "web-1", "web", "web")
	tracer.groups = map[int64]fakeGroup{1: web, 2: web}
	tracer.count(map[int64]int64{1: 100, 2: 50})
	values(t, c)
	tracer.count(map[int64]int64{2: 60})
	wantValues(t, c, "without a key", map[string]int64{"workload=web": 160})

	r := c.scripts[0].running
	readings, err := r.peek()
	if err != nil {
		t.Fatal(err)
	}
	if page := readings[0].series; page.valueText(page.order[0]) != "160" {
		t.Errorf("the page shows %s", page.valueText(page.order[0]))
	}

	m := *r.metrics[0]
	m.help = "other"
	next := newMapSeries(&m, r.series[0].mp, tracer).after(r.series[0], 0)
	r.metrics[0], r.series[0] = &m, next
	tracer.count(map[int64]int64{2: 61})
	wantValues(t, c, "after a reload", map[string]int64{"workload=web": 161})
}

// What is known of groups that are gone is forgotten, what their series have is not.
func TestManyContainers(t *testing.T) {
	c, tracer := groupsOf(t, `@[cgroup] = count();`, `{as: [workload]}`)
	for group := range int64(5000) {
		tracer.groups = map[int64]fakeGroup{group: inPod("prod", fmt.Sprint("web-", group), "web", fmt.Sprint("web", group%3))}
		tracer.count(map[int64]int64{group: 2})
		values(t, c)
	}
	if known := c.scripts[0].running.series[0]; known.keys.Len() > 1100 || len(known.ledger.keys) != known.keys.Len() {
		t.Errorf("%d keys are known, of %d what they had", known.keys.Len(), len(known.ledger.keys))
	}
	wantValues(t, c, "at the end", map[string]int64{"workload=web0": 3334, "workload=web1": 3334, "workload=web2": 3332})
}
