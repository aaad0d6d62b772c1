package values

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ply-exporter/internal/need"
)

// installedPostgres are the servers that Debian's packages install.
const installedPostgres = "/usr/lib/postgresql/*/bin/postgres"

// A postgres is a server of the test's own: a copy of an installed one, with an empty
// database that ends with the test. Nobody else runs the copy, so what is counted of it is what the
// test makes it do.
type postgres struct {
	folder  string // readable by all, with the socket in it
	program string // the copy
	tools   string // folder of pgbench and others
	stats   *worker
}

// postgresUser is who runs the server, which refuses to be root's.
var postgresUser = &syscall.Credential{Uid: 65534, Gid: 65534}

// startPostgres starts a server that writes nothing through to the disk and does nothing by itself.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	found, err := filepath.Glob(installedPostgres)
	must(t, err)
	if len(found) == 0 {
		need.Command(t, installedPostgres)
	}
	tools := filepath.Dir(found[len(found)-1])
	folder, err := os.MkdirTemp("", "postgres") // those of the test are for root only
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	must(t, os.Chmod(folder, 0o755))
	p := &postgres{folder: folder, tools: tools, program: filepath.Join(folder, "any/bin/postgres")}
	must(t, os.MkdirAll(filepath.Dir(p.program), 0o755))
	copyProgram(t, filepath.Dir(p.program), filepath.Join(tools, "postgres"))
	must(t, os.Symlink(filepath.Join(tools, "../lib"), filepath.Join(folder, "any/lib"))) // it looks for it there
	for _, name := range []string{"data", "socket"} {
		must(t, os.Mkdir(filepath.Join(folder, name), 0o700))
		must(t, os.Chown(filepath.Join(folder, name), int(postgresUser.Uid), int(postgresUser.Gid)))
	}
	p.asNobody(t, "initdb", "-D", p.data(), "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C")
	options := fmt.Sprintf("-k %s/socket", folder)
	for _, setting := range []string{"listen_addresses=", "fsync=off", "autovacuum=off", "checkpoint_timeout=1d", "log_checkpoints=on",
		"shared_preload_libraries=pg_stat_statements", "deadlock_timeout=50ms"} {
		options += " -c " + setting
	}
	p.asNobody(t, "pg_ctl", "start", "-D", p.data(), "-p", p.program, "-l", p.log(), "-w", "-o", options)
	t.Cleanup(func() { p.asNobody(t, "pg_ctl", "stop", "-D", p.data(), "-m", "immediate") })
	p.sql(t, "create extension pg_stat_statements")
	p.stats = p.session(t)
	// Its questions are in no statistics, and so is not one transaction, because it does not end.
	p.stats.do(t, `set pg_stat_statements.track = none; begin; \echo begun`)
	return p
}

func (p *postgres) data() string { return filepath.Join(p.folder, "data") }

func (p *postgres) log() string { return filepath.Join(p.data(), "log") }

func (p *postgres) asNobody(t *testing.T, tool string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.tools, tool), args...)
	cmd.Dir, cmd.SysProcAttr = p.data(), &syscall.SysProcAttr{Credential: postgresUser}
	if tool == "pg_ctl" { // the server keeps what it gets
		must(t, cmd.Run())
		return
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, said)
	}
}

// client is a program that is told where the server is.
func (p *postgres) client(tool string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.tools, tool), args...)
	cmd.Env = append(os.Environ(), "PGHOST="+p.folder+"/socket", "PGUSER=postgres", "PGDATABASE=postgres")
	return cmd
}

// run runs a program of the server's to its end.
func (p *postgres) run(t *testing.T, tool string, args ...string) string {
	t.Helper()
	said, err := p.client(tool, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, said)
	}
	return string(said)
}

// sql has statements executed in a session of their own, one after the other.
func (p *postgres) sql(t *testing.T, statements ...string) string {
	t.Helper()
	args := []string{"-XqAt"}
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	return p.run(t, "psql", args...)
}

// session is one that executes lines of SQL. Each must answer with one line.
func (p *postgres) session(t *testing.T) *worker {
	t.Helper()
	return startWorker(t, p.client("psql", "-XqAt"))
}

// number is the answer to a question.
func (p *postgres) number(t *testing.T, question string) float64 {
	t.Helper()
	p.stats.do(t, "select pg_stat_clear_snapshot();") // what the transaction has been told stays as it was
	n, err := strconv.ParseFloat(p.stats.do(t, question+";"), 64)
	must(t, err)
	return n
}

// until waits until a question is answered with a number. The server always comes there.
func (p *postgres) until(t *testing.T, question string, want float64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.number(t, question) != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %v", question, p.number(t, question))
		}
	}
}

// alone waits until all sessions of the work have ended, and so said what they did. The server
// is not asked, because that takes statements.
func (p *postgres) alone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.sessions(t) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are left", p.sessions(t))
		}
	}
}

// sessions are the server's processes that work for clients, as their titles tell.
func (p *postgres) sessions(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	must(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", first, first))
	must(t, err)
	for _, pid := range strings.Fields(string(children)) {
		title, _ := os.ReadFile("/proc/" + pid + "/cmdline") // of one that has ended it is empty
		if strings.Contains(string(title), "[local]") || strings.Contains(string(title), "parallel worker") {
			n++
		}
	}
	return n
}

// of is a source that the server is asked for.
func (p *postgres) of(question string) func(*testing.T) float64 {
	return func(t *testing.T) float64 { return p.number(t, question) }
}

// compare is compare for what the server says. It is asked before the first scrape and after the
// second one, because answers are statements, too.
func (p *postgres) compare(t *testing.T, s *server, work func(), list ...comparison) {
	t.Helper()
	first := readAll(t, list)
	before := s.scrape(t)
	work()
	p.alone(t)
	after := s.scrape(t)
	last := readAll(t, list)
	for i, c := range list {
		c.judge(t, c.ours.of(after)-c.ours.of(before), last[i]-first[i], last[i]-first[i])
	}
}

const (
	calls     = "select sum(calls) from pg_stat_statements"
	commits   = "select sum(xact_commit) from pg_stat_database"
	aborts    = "select sum(xact_rollback) from pg_stat_database"
	deadlocks = "select sum(deadlocks) from pg_stat_database"
	waiting   = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
)

// pgbench has clients make transactions: two of them, as many as are asked for.
func (p *postgres) pgbench(t *testing.T, args ...string) {
	t.Helper()
	p.run(t, "pgbench", append([]string{"-n", "-c", "2"}, args...)...)
}

// blocked has a statement wait for a lock that a session holds, for a time. It returns
// how long it waited at least and at most.
func (p *postgres) blocked(t *testing.T, lock, statement string, hold time.Duration) (least, most time.Duration) {
	t.Helper()
	holder, waiter := p.session(t), p.session(t)
	holder.do(t, "begin; "+lock+`; \echo held`)
	begin := time.Now()
	waiter.send(t, statement+`; \echo done`)
	p.until(t, waiting, 1)
	waits := time.Now()
	time.Sleep(hold)
	least = time.Since(waits)
	holder.do(t, `commit; \echo released`)
	waiter.answer(t)
	most = time.Since(begin)
	holder.end()
	waiter.end()
	return least, most
}

// deadlock has two sessions wait for each other, of which the server ends one.
func (p *postgres) deadlock(t *testing.T, table string) {
	t.Helper()
	sessions := []*worker{p.session(t), p.session(t)}
	change := "update " + table + " set x = x where id = %d"
	for i, s := range sessions {
		s.do(t, fmt.Sprintf("begin; "+change+`; \echo has`, i))
	}
	for i, s := range sessions {
		s.send(t, fmt.Sprintf(change+`; commit; \echo ended`, 1-i))
		if i == 0 {
			p.until(t, waiting, 1)
		}
	}
	for _, s := range sessions {
		s.answer(t)
		s.end()
	}
}

// What PostgreSQL says of itself is what is counted.
func TestPostgreSQL(t *testing.T) {
	need.BPF(t)
	p := startPostgres(t)
	s := serve(t, loadFor(t, "postgresql.yaml", map[string]string{installedPostgres: p.folder + "/*/bin/postgres"}))
	p.run(t, "pgbench", "-i", "-q")
	p.sql(t, "create table t as select id, 0 as x from generate_series(0, 9) id")
	p.alone(t)
	t.Run("statements", func(t *testing.T) { p.compareStatements(t, s) })
	t.Run("parallel", func(t *testing.T) { p.compareParallel(t, s) })
	t.Run("locks", func(t *testing.T) { p.compareLocks(t, s) })
	t.Run("checkpoints", func(t *testing.T) { p.compareCheckpoints(t, s) })
}

// compareStatements compares statements and transactions of all kinds.
func (p *postgres) compareStatements(t *testing.T, s *server) {
	const executed = "select sum(total_exec_time) / 1000 from pg_stat_statements"
	inside, before, begin := p.number(t, executed), s.scrape(t), time.Now()
	p.compare(t, s, func() {
		p.pgbench(t, "-M", "simple", "-t", "60")
		p.pgbench(t, "-M", "extended", "-t", "60")
		p.pgbench(t, "-M", "prepared", "-S", "-t", "100")
		p.sql(t, "begin", "update t set x = 1", "savepoint a", "select 1", "rollback to a", "rollback")
		p.sql(t, "do $$ begin for i in 1..5 loop begin perform 1 / (i - i); exception when others then null; end; end loop; end $$",
			"do $$ begin for i in 1..3 loop update t set x = i; commit; end loop; end $$",
			"begin", "declare c cursor for select * from t", "fetch 2 from c", "fetch 2 from c", "commit",
			"with changed as (update t set x = 2 returning x) select * from changed",
			"copy (select * from t) to stdout", "select pg_sleep(0.2)", "vacuum t")
		failing := p.session(t)
		failing.do(t, `select 1 / 0; begin; select 1 / 0; select 2; commit; \echo failed`)
		failing.end()
	},
		comparison{ours: ours("ply_postgresql_statement_seconds_count"), source: calls, theirs: p.of(calls), least: 2*60*7*2 + 2*100 + 18},
		comparison{ours: ours("ply_postgresql_commits_total"), source: commits, theirs: p.of(commits), least: 2*60*2 + 2*100 + 9},
		comparison{ours: ours("ply_postgresql_aborts_total"), source: aborts, theirs: p.of(aborts), least: 3},
	)
	// The server's time is from within ours, and two clients execute no more than two statements at a time.
	sum := ours("ply_postgresql_statement_seconds_sum")
	took := sum.of(s.scrape(t)) - sum.of(before)
	least, most := p.number(t, executed)-inside, 2*time.Since(begin).Seconds()
	if took < least || took > most || least < 0.2 {
		t.Errorf("statements took %v s; by pg_stat_statements %v, and by the clock at most %v", took, least, most)
	}
}

// compareParallel says that transactions of a parallel query's helpers are none of the clients'.
// The server counts some of them.
func (p *postgres) compareParallel(t *testing.T, s *server) {
	did := ledger{}
	compare(t, s, func() {
		said := p.sql(t, "set parallel_setup_cost = 0", "set parallel_tuple_cost = 0", "set min_parallel_table_scan_size = 0",
			"explain (analyze, timing off) select count(*) from pgbench_accounts")
		if !strings.Contains(said, "Workers Launched: 2") {
			t.Errorf("the query is not parallel:\n%s", said)
		}
		did["statements"] += 4
		did["transactions"] += 4 + 1 // that of the session's start
	},
		comparison{ours: ours("ply_postgresql_statement_seconds_count"), source: "the session", theirs: did.of("statements")},
		comparison{ours: ours("ply_postgresql_commits_total"), source: "the session", theirs: did.of("transactions")},
	)
}

// compareLocks compares waits for locks: one for a row, which is for the transaction that changed it,
// one for a table, and a deadlock, in which one of two gets what it waits for.
func (p *postgres) compareLocks(t *testing.T, s *server) {
	wait := func(part, kind string) metric { return ours("ply_postgresql_lock_wait_seconds"+part, "kind", kind) }
	did, before := ledger{}, s.scrape(t)
	var least, most time.Duration
	p.compare(t, s, func() {
		least, most = p.blocked(t, "lock table t", "update t set x = 3", 200*time.Millisecond)
		p.blocked(t, "update t set x = 4", "update t set x = 5", 0)
		p.deadlock(t, "t")
		did["relation"]++
		did["transaction"] += 2
	},
		comparison{ours: wait("_count", "relation"), source: "waits", theirs: did.of("relation")},
		comparison{ours: wait("_count", "transaction"), source: "waits", theirs: did.of("transaction"), least: 2},
		comparison{ours: ours("ply_postgresql_deadlocks_total"), source: deadlocks, theirs: p.of(deadlocks)},
	)
	took := wait("_sum", "relation").of(s.scrape(t)) - wait("_sum", "relation").of(before)
	if took < least.Seconds() || took > most.Seconds() {
		t.Errorf("the wait for a table took %v s, want %v to %v", took, least, most)
	}
}

// compareCheckpoints compares checkpoints with what the server says in its log.
func (p *postgres) compareCheckpoints(t *testing.T, s *server) {
	complete := regexp.MustCompile(`checkpoint complete: wrote (\d+) buffers`)
	logged := func(t *testing.T) (checkpoints, buffers float64) {
		t.Helper()
		text, err := os.ReadFile(p.log())
		must(t, err)
		for _, found := range complete.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.ParseFloat(found[1], 64)
			must(t, err)
			checkpoints++
			buffers += n
		}
		return checkpoints, buffers
	}
	before, begin := s.scrape(t), time.Now()
	compare(t, s, func() {
		for range 2 {
			p.sql(t, "update pgbench_accounts set filler = 'x' where aid < 10000", "checkpoint")
		}
	},
		comparison{ours: ours("ply_postgresql_checkpoint_seconds_count"), source: "checkpoints of the log", least: 2,
			theirs: func(t *testing.T) float64 { n, _ := logged(t); return n }},
		comparison{ours: ours("ply_postgresql_checkpoint_buffers_total"), source: "buffers of the log", least: 200,
			theirs: func(t *testing.T) float64 { _, n := logged(t); return n }},
	)
	sum := ours("ply_postgresql_checkpoint_seconds_sum")
	if took, most := sum.of(s.scrape(t))-sum.of(before), time.Since(begin).Seconds(); took <= 0 || took > most {
		t.Errorf("checkpoints took %v s of %v", took, most)
	}
}
