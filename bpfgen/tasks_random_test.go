package bpfgen_test

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen"
	"ply-exporter/internal/need"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

// Random scripts count the same whether the kernel keeps their tables with the tasks
// or in hashes, both at the same time: whatever stores a value and whatever asks for
// it, threads that are known to have nothing lose nothing.
func TestRandomTablesOfTasks(t *testing.T) {
	need.OldAndNew(t)
	for seed := range int64(10) {
		script := (&tasksScript{Rand: rand.New(rand.NewSource(seed))}).text()
		script = strings.ReplaceAll(script, "PID", fmt.Sprint(os.Getpid()))
		inTasks, inHashes := countsOf(t, script, programsRead), countsOf(t, script, bpfgen.Options{})
		randomCalls(seed)
		if got, want := inTasks(), inHashes(); got != want || want == "" {
			t.Errorf("%s\nwith tasks:\n%s\nin hashes:\n%s", script, got, want)
		}
	}
}

// countsOf starts a script, and returns what ends it and tells what it has counted.
func countsOf(t *testing.T, script string, opt bpfgen.Options) func() string {
	t.Helper()
	k := running(t)
	obj, err := bpfgen.Build(&plylang.Source{Text: script}, k, bpfgen.Options{Run: true, Maps: opt.Maps}, nil)
	if err != nil {
		t.Fatalf("%s\n%s", script, plylang.Detail(err))
	}
	tr, err := tracer.Start(obj, tracer.Options{Kernel: k})
	if err != nil {
		t.Fatalf("%s\n%s", script, plylang.Detail(err))
	}
	return func() string {
		defer tr.Close()
		lines := strings.Split(mapsText(t, k, tr, obj), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "@") }) // tables
		return strings.Join(lines, "\n")
	}
}

// randomCalls makes calls in threads that begin and end.
func randomCalls(seed int64) {
	calls := []uintptr{unix.SYS_GETPRIORITY, unix.SYS_GETPGID, unix.SYS_GETSID, unix.SYS_SCHED_GETSCHEDULER, unix.SYS_SCHED_YIELD}
	for round := range int64(3) {
		var all sync.WaitGroup
		for thread := range int64(24) {
			all.Go(func() {
				runtime.LockOSThread() // for good: the thread ends
				r := rand.New(rand.NewSource(seed*1000 + 100*round + thread))
				call(1, unix.SYS_GETPPID) // a thread that ended may have been at this address
				for range 40 {
					call(1, calls[r.Intn(len(calls))], uintptr(r.Intn(3)/2), uintptr(r.Intn(4)))
				}
			})
		}
		all.Wait()
	}
}

// A tasksScript is a random script of clauses where calls begin and return.
type tasksScript struct {
	*rand.Rand
	arg string // what clauses of this kind tell of the call
}

func (r *tasksScript) pick(all ...string) string { return all[r.Intn(len(all))] }

// text stores some values where calls begin, and asks for them where they return: in
// most scripts there and nowhere else.
func (r *tasksScript) text() string {
	clauses := []string{
		"kprobe:SyS_@(getpriority|getsid) / pid == PID && arg1 % 2 / { v[curtask] = " + r.pick("arg1", "arg1 - 2", "-1") + "; }",
		"kprobe:SyS_@(getpriority|getpgid) / pid == PID && arg1 == " + r.pick("1", "arg1") + " / { n[curtask] " + r.pick("=", "+=", "-=") + " arg1; }",
		"kprobe:SyS_getppid / pid == PID / { delete v[curtask]; delete n[curtask]; }",
	}
	always := r.Intn(3) == 0
	for i := range 3 + r.Intn(5) {
		clauses = append(clauses, r.clause(i, always))
	}
	end := " / { @end[v[curtask], n[curtask]] = count(); }"
	return strings.Join(append(clauses, "kretprobe:SyS_getsid / pid == PID && v[curtask]"+end), "\n")
}

func (r *tasksScript) clause(i int, always bool) string {
	sets := []string{"getpriority", "getpgid", "@(getpriority|getpgid)", "get@(pgid|sid)", "getp@(gid|riority)", "sched_getscheduler", "@(getpriority|getpgid|getsid|sched_getscheduler)"}
	probe, pred := "kprobe:SyS_"+r.pick(sets...), "pid == PID"
	r.arg = "arg1"
	if r.Intn(2) == 0 {
		probe, r.arg = "kretprobe:SyS_"+r.pick(sets...), "retval"
		pred = r.pick(r.value()+" && pid == PID", "pid == PID && ("+r.value()+" && "+r.condition()+")", "("+r.condition()+" || pid) && "+r.value()+" && pid == PID")
		if always {
			pred = "pid == PID && (" + r.condition() + ")"
		}
		if r.Intn(6) == 0 {
			pred += " && elapsed >= 0"
		}
	} else if r.Intn(2) == 0 {
		pred += " && (" + r.condition() + ")"
	}
	var body []string
	for range 1 + r.Intn(4) {
		body = append(body, r.stmt(i, 2))
	}
	return fmt.Sprintf("%s / %s / { %s @end%d[func, str(curtask->comm, 9), v[curtask], n[curtask]] = count(); }", probe, pred, strings.Join(body, " "), i)
}

func (r *tasksScript) value() string { return r.pick("v[curtask]", "n[curtask]") }

func (r *tasksScript) condition() string {
	v := r.value()
	return r.pick(v, "!"+v, v+" > 0", v+" == 0", "("+r.arg+") % 2 == 1", v+" && "+r.value(), v+" || "+r.arg+" > 1", "("+v+" ? "+r.value()+" : "+r.arg+")", v+" != "+r.value())
}

func (r *tasksScript) stmt(i, depth int) string {
	v := r.value()
	switch n := r.Intn(12); {
	case n < 2:
		return v + " = " + r.pick("0", "1", "-1", r.arg, "v[curtask]", "n[curtask] + 1") + ";"
	case n < 3:
		return v + r.pick("++", "--", " += "+r.arg, " -= 1", " += -1") + ";"
	case n < 4:
		return fmt.Sprintf("@at%d[%s] = count();", i, v)
	case n < 6 && depth > 0:
		return "if (" + r.condition() + ") { " + r.stmt(i, depth-1) + " } else { " + r.stmt(i, depth-1) + " }"
	case n < 8 && depth > 0:
		return "if (" + r.condition() + ") { " + r.stmt(i, depth-1) + " }"
	case n < 9 && depth > 0:
		return "unroll (2) { " + r.stmt(i, depth-1) + " }"
	case n < 10 && depth < 2:
		return "return;"
	}
	return "delete " + v + ";"
}
