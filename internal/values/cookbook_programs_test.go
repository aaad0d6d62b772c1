package values

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"ply-exporter/docs"
	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
)

// What recipes say of programs and libraries is compared with what programs do that have
// files of their own.

// interpreter runs lines of Python.
const interpreter = `
import ctypes, gc, socket, sys, zlib
gc.disable()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
def lookup():
    socket.getaddrinfo("127.0.0.1", 1)
def allocate(size):
    libc.free(libc.malloc(ctypes.c_size_t(size)))
def load(name):
    try:
        ctypes.CDLL(name)
    except OSError:
        pass
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
`

// programs run what the recipes trace.
type programs struct {
	python, tls, golang *worker
	server              *tlsServer
	database            *postgres
}

// startPrograms puts copies of programs and libraries into a folder, and says which of the
// page's names they stand for.
func startPrograms(t *testing.T) (p programs, instead map[string]string) {
	t.Helper()
	folder := t.TempDir()
	instead = map[string]string{"/usr/bin/python3": copyProgram(t, t.TempDir(), "/usr/bin/python3"), "prometheus": copyOfThis(t, "program")}
	for name, file := range map[string]string{"libc.so.6": "libc.so.6", "libssl.so.*": "libssl.so.3", "libz.so.1": "libz.so.1"} {
		instead[name] = copyProgram(t, folder, file)
	}
	python := withLibraries(exec.Command(instead["/usr/bin/python3"], "-s", "-c", interpreter), folder)
	python.Env = append(python.Env, "PYTHONHOME=/usr")
	p.python = startWorker(t, python)
	p.tls = startWorker(t, withLibraries(exec.Command(need.Command(t, "/usr/bin/python3"), "-I", "-c", opensslClient), folder))
	p.server = listenTLS(t)
	p.database = startPostgres(t)
	p.database.sql(t, "create table t (x int)")
	instead[installedPostgres] = p.database.folder + "/*/bin/postgres"
	golang := workload("goroutines", "")
	golang.Path = instead["prometheus"]
	p.golang = startWorker(t, golang)
	p.python.do(t, "allocate(10); lookup()") // what Python takes for its first work
	return p, instead
}

// times is what a worker does so often.
func (w *worker) times(t *testing.T, n int, what string) float64 {
	t.Helper()
	w.do(t, fmt.Sprintf("for i in range(%d): %s", n, what))
	return float64(n)
}

// programRecipes are those of the chapter.
func programRecipes(p programs) []recipe {
	const done = "the calls of the program"
	return []recipe{
		{
			script: "name_lookups",
			work:   func(t *testing.T, did ledger) { did["lookups"] += p.python.times(t, 12, "lookup()") },
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{{ours: ours("ply_name_lookups_seconds_count", "comm", "python3"), source: done, theirs: did.of("lookups")}}
			},
		},
		{
			script: "tls_handshakes",
			work: func(t *testing.T, _ ledger) {
				before := p.server.of(&p.server.over)(t)
				for range 4 {
					p.tls.do(t, fmt.Sprintf("%d %d %d 0", p.server.port, tlsPieces, tlsSize))
				}
				p.tls.do(t, fmt.Sprintf("%d 1 1 1", p.server.port)) // which fails
				p.server.ended(t, before+5)
			},
			compared: func(*testing.T, ledger) []comparison {
				return []comparison{{ours: ours("ply_tls_handshakes_total"), source: "handshakes of the server", theirs: p.server.of(&p.server.handshakes)}}
			},
		},
		{
			script: "large_allocations",
			work: func(t *testing.T, did ledger) {
				did["bytes"] += 2_000_000 * p.python.times(t, 7, "allocate(2_000_000); allocate(1000)")
			},
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{{ours: ours("ply_large_allocations_bytes_total", "comm", "python3"), source: "what the program asked for", theirs: did.of("bytes")}}
			},
		},
		{
			script: "python_pauses",
			work:   func(t *testing.T, did ledger) { did["pauses"] += p.python.times(t, 9, "gc.collect(i % 3)") },
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{{ours: ours("ply_python_pauses_seconds_count", "comm", "python3"), source: done, theirs: did.of("pauses")}}
			},
		},
		{
			script: "go_collections",
			work:   func(t *testing.T, _ ledger) { p.golang.do(t, "work") },
			compared: func(*testing.T, ledger) []comparison {
				return []comparison{{ours: ours("ply_go_collections_total"), source: gcCycles, least: 5, theirs: func(t *testing.T) float64 {
					told := map[string]float64{}
					must(t, json.Unmarshal([]byte(p.golang.do(t, "stats")), &told))
					return told[gcCycles]
				}}}
			},
		},
		{
			script: "deprecated",
			work: func(t *testing.T, did ledger) {
				did["gethostbyname"] += p.python.times(t, 5, `libc.gethostbyname(b"127.0.0.1")`)
				did["tmpnam"] += p.python.times(t, 3, "libc.tmpnam(None)")
			},
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{
					{ours: ours("ply_deprecated_total", "comm", "python3", "function", "gethostbyname"), source: done, theirs: did.of("gethostbyname")},
					{ours: ours("ply_deprecated_total", "comm", "python3", "function", "tmpnam"), source: done, theirs: did.of("tmpnam")},
				}
			},
		},
		{
			script: "library_calls",
			work: func(t *testing.T, did ledger) {
				did["crc32"] += p.python.times(t, 20, `zlib.crc32(b"text")`)
				did["compress"] += p.python.times(t, 6, `zlib.compress(b"text")`)
			},
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{
					{ours: ours("ply_library_calls_total", "function", "crc32"), source: done, theirs: did.of("crc32")},
					{ours: ours("ply_library_calls_total", "function", "deflateEnd"), source: done, theirs: did.of("compress")},
				}
			},
		},
		{
			script: "loaded_libraries",
			work: func(t *testing.T, did ledger) {
				did["loaded"] += p.python.times(t, 4, `load("libz.so.1")`)
				did["failed"] += p.python.times(t, 2, `load("libnone.so.0")`)
			},
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{
					{ours: ours("ply_loaded_libraries_total", "comm", "python3", "result", "loaded"), source: done, theirs: did.of("loaded")},
					{ours: ours("ply_loaded_libraries_total", "comm", "python3", "result", "failed"), source: done, theirs: did.of("failed")},
				}
			},
		},
		{
			script: "postgresql_table_waits",
			work: func(t *testing.T, did ledger) {
				p.database.blocked(t, "lock table t", "insert into t values (1)", 0)
				p.database.blocked(t, "insert into t values (2)", "truncate t", 0)
				p.database.blocked(t, "select pg_advisory_xact_lock(7)", "select pg_advisory_lock(7)", 0) // which is no table's
				did["waits"] += 2
			},
			compared: func(t *testing.T, did ledger) []comparison {
				name := func(question string) string { return fmt.Sprint(p.database.number(t, question)) }
				return []comparison{
					{ours: ours("ply_postgresql_table_waits_seconds_count", "relation", name("select 't'::regclass::oid"),
						"database", name("select oid from pg_database where datname = current_database()")), source: "waits for the table", theirs: did.of("waits")},
					{ours: ours("ply_postgresql_table_waits_seconds_count"), source: "waits for tables", theirs: did.of("waits")}}
			},
		},
		{
			script: "postgresql_sorts",
			work: func(t *testing.T, did ledger) {
				said := ""
				for range 3 {
					said += p.database.sql(t, "set work_mem = '64kB'", "explain analyze select x from generate_series(1, 50000) x order by -x",
						"explain analyze select x from generate_series(1, 50) x order by -x")
				}
				did["disk"] += float64(strings.Count(said, "Sort Method: external"))
				did["memory"] += float64(strings.Count(said, "Sort Method: quicksort"))
			},
			compared: func(_ *testing.T, did ledger) []comparison {
				return []comparison{
					{ours: ours("ply_postgresql_sorts_total", "place", "disk"), source: "sorts of plans", theirs: did.of("disk"), least: 3},
					{ours: ours("ply_postgresql_sorts_total", "place", "memory"), source: "sorts of plans", theirs: did.of("memory"), least: 3},
				}
			},
		},
	}
}

func TestCookbookOfPrograms(t *testing.T) {
	need.BPF(t)
	need.Command(t, "/usr/bin/python3")
	p, instead := startPrograms(t)
	page := docs.Cookbook
	for name, path := range instead {
		page = strings.ReplaceAll(page, ":"+name+":", ":"+path+":")
	}
	all := scriptsOf(t, page)
	cfg := &config.Config{}
	list := programRecipes(p)
	for _, r := range list {
		script := all[r.script]
		if script == nil {
			t.Fatalf("docs/cookbook.md has no script %s", r.script)
		}
		delete(all, r.script)
		cfg.Scripts = append(cfg.Scripts, script)
	}
	for name, script := range all {
		if ofPrograms(script) {
			t.Errorf("no test for script %s of docs/cookbook.md", name)
		}
	}
	s := serve(t, cfg)
	for _, r := range list {
		r.run(t, s)
	}
}

// ofPrograms says whether a script is at a probe of a program.
func ofPrograms(s *config.Script) bool { return userProbe.MatchString(s.Source.Text) }

var userProbe = regexp.MustCompile(`(?m)^(uprobe|uretprobe|usdt):`)
