package values

import (
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"ply-exporter/docs"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
)

// A recipe is a script of docs/cookbook.md and what tells that its metrics are
// true. All of them run in one exporter.
type recipe struct {
	script string

	// here says whether this machine can run it; nil: any can. A script that
	// cannot run is not served.
	here func() bool

	// work does what the metrics count, and notes what it did.
	work func(t *testing.T, did ledger)

	// compared are all metrics of the script.
	compared func(t *testing.T, did ledger) []comparison

	// start is both, where they have more in common than numbers.
	start func(t *testing.T, did ledger) (work func(), compared []comparison)
}

// begin returns the work of a recipe, and what is to be compared.
func (r *recipe) begin(t *testing.T, did ledger) (work func(), compared []comparison) {
	t.Helper()
	if r.start != nil {
		return r.start(t, did)
	}
	return func() { r.work(t, did) }, r.compared(t, did)
}

// recipes are those of a chapter each. Programs and libraries have theirs in a test of
// their own, since guests have none.
var recipes = slices.Concat(callRecipes, securityRecipes, processRecipes, fileRecipes, cpuRecipes, networkRecipes, diskRecipes, memoryRecipes, kernelRecipes)

func TestCookbook(t *testing.T) {
	need.OneGuest(t)
	all := scriptsOf(t, docs.Cookbook)
	maps.DeleteFunc(all, func(_ string, s *config.Script) bool { return ofPrograms(s) })
	cfg := &config.Config{}
	for _, r := range recipes {
		script := all[r.script]
		if script == nil {
			t.Errorf("docs/cookbook.md has no script %s", r.script)
			continue
		}
		if delete(all, r.script); r.here == nil || r.here() {
			cfg.Scripts = append(cfg.Scripts, script)
		}
	}
	for name := range all {
		t.Errorf("no test for script %s of docs/cookbook.md", name)
	}
	s := serve(t, cfg)
	for _, r := range recipes {
		if r.here != nil && !r.here() {
			continue
		}
		r.run(t, s)
	}
}

// run compares what the recipe exports.
func (r *recipe) run(t *testing.T, s *server) {
	t.Run(r.script, func(t *testing.T) {
		did := ledger{}
		work, list := r.begin(t, did)
		compare(t, s, work, list...)
		r.exports(t, s, list)
	})
}

var (
	configurations = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	ofHistogram    = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// scriptsOf reads the scripts of the page by name.
func scriptsOf(t *testing.T, page string) map[string]*config.Script {
	t.Helper()
	all := map[string]*config.Script{}
	for _, block := range configurations.FindAllStringSubmatch(page, -1) {
		text := block[1]
		if strings.HasPrefix(text, "  - name:") {
			text = "scripts:\n" + text
		}
		cfg, err := config.Parse("cookbook.md", []byte(text))
		if err != nil {
			t.Fatal(plylang.Detail(err))
		}
		for _, script := range cfg.Scripts {
			all[script.Name] = script
		}
	}
	return all
}

// exports says that the script exports what the page says, and nothing that is
// not compared.
func (r *recipe) exports(t *testing.T, s *server, list []comparison) {
	t.Helper()
	compared := map[string]bool{}
	for _, c := range list {
		name := ofHistogram.ReplaceAllString(c.ours.name, "")
		compared[name] = true
		if !strings.Contains(docs.Cookbook, "`"+name) {
			t.Errorf("docs/cookbook.md does not mention %s", name)
		}
	}
	for name := range s.scrape(t) {
		if rest, is := strings.CutPrefix(name, "ply_"+r.script); is && (rest == "" || rest[0] == '_') && !compared[name] && !r.ofAnother(name) {
			t.Errorf("%s is not compared", name)
		}
	}
}

// ofAnother says whether a metric is of a script whose name begins with that of r.
func (r *recipe) ofAnother(metric string) bool {
	return slices.ContainsFunc(recipes, func(other recipe) bool {
		return len(other.script) > len(r.script) && strings.HasPrefix(metric, "ply_"+other.script)
	})
}

// inThread does something in a thread with this name, which ends with it.
func inThread(t *testing.T, name string, work func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(done)
		text, err := unix.BytePtrFromString(name)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
		}
		if err != nil {
			done <- err
			return
		}
		work()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
