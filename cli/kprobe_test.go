package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"ply-exporter/internal/need"
)

// textSymbol is a function in /proc/kallsyms.
type textSymbol struct {
	addr         uint64
	name, module string
}

func textSymbols(t *testing.T) []textSymbol {
	t.Helper()
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	var out []textSymbol
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		var s textSymbol
		if !strings.Contains("tTwW", f[1]) {
			continue
		}
		if s.addr, err = strconv.ParseUint(f[0], 16, 64); err != nil {
			t.Fatal(err)
		}
		s.name = f[2]
		if len(f) > 3 {
			s.module = strings.Trim(f[3], "[]")
		}
		out = append(out, s)
	}
	return out
}

func symbolAddress(t *testing.T, name string) uint64 {
	t.Helper()
	for _, s := range textSymbols(t) {
		if s.name == name {
			return s.addr
		}
	}
	t.Fatalf("this kernel has no function %s", name)
	return 0
}

const (
	tenReads  = "exec dd if=/dev/zero of=/dev/null bs=12345 count=10 2>/dev/null"
	addVeth   = "ip link add type veth; ip link del veth0"
	mineSized = "/ pid == $target && arg2 == 12345 /"
)

// A probe counts at a function's second instruction and at an address as at
// its entry. The first instruction that can be probed behind the entry is 1 to
// 16 bytes into the function, behind what ftrace patches there.
func TestKprobeInside(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	addr := symbolAddress(t, "vfs_read")
	inside, step := 0, 1
	if runtime.GOARCH != "amd64" {
		step = 2 // instructions are of 4 bytes, or of 2 on riscv64
	}
	for offset := step; offset <= 24; offset += step {
		named := fmt.Sprintf("kprobe:vfs_read+%d %s { @[func] = count(); }", offset, mineSized)
		byAddress := fmt.Sprintf("kprobe:%#x %s { @[func] = count(); }", addr+uint64(offset), mineSized)
		for _, script := range []string{named, byAddress} {
			r := ply(t, "run", "-c", tenReads, script)
			if r.status == 1 {
				if !strings.Contains(r.stderr, "no instruction that can be probed begins there: ") {
					t.Errorf("%s: %s", script, r.stderr)
				}
				continue
			}
			if want := fmt.Sprintf("\n@:\n%s", "vfs_read"); !strings.HasPrefix(r.stdout, want) || !strings.HasSuffix(r.stdout, " 10\n") {
				t.Errorf("%s: %+v", script, r)
			}
			inside++
		}
		if inside > 0 {
			break
		}
	}
	if inside != 2 {
		t.Errorf("%d probes inside vfs_read", inside)
	}
}

func TestKprobeAtAddress(t *testing.T) {
	need.EachArch(t)
	need.Kprobes(t)
	script := fmt.Sprintf("kprobe:%#x %s { @[func, arg2] = count(); }", symbolAddress(t, "vfs_read"), mineSized)
	if r := ply(t, "run", "-c", tenReads, script); r.stdout != "\n@:\n[ vfs_read, 12345 ]        10\n" {
		t.Errorf("%+v", r)
	}
}

// What the compiler made a copy of is found by its plain name.
func TestKprobeCompilersCopies(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	traced, err := os.ReadFile("/sys/kernel/tracing/available_filter_functions")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, s := range textSymbols(t) {
		plain, suffix, _ := strings.Cut(s.name, ".")
		if tried == 2 || s.module != "" || strings.HasPrefix(plain, "__pfx_") || !copied.MatchString(suffix) {
			continue
		}
		if !bytes.Contains(traced, []byte("\n"+s.name+"\n")) {
			continue // what the kernel is built without tracing of, which may not be probed
		}
		for _, name := range []string{s.name, plain} {
			r := ply(t, "run", "-t", "0.01", fmt.Sprintf("kprobe:%s { @ = count(); }", name))
			if strings.Contains(r.stderr, "not let it be probed") {
				break // what the kernel is built without tracing of, whatever its name
			}
			if r.status != 0 {
				t.Errorf("%s: %s", name, r.stderr)
			}
			if name == plain {
				tried++
			}
		}
	}
	if tried == 0 {
		t.Error("no copy could be probed")
	}
}

var copied = regexp.MustCompile(`^(constprop|isra)\.[0-9]+$`)

// Functions of modules, also where several have one name.
func TestKprobeModules(t *testing.T) {
	need.OldAndNew(t)
	need.Guest(t)
	need.Kprobes(t)
	for _, row := range []struct{ script, want string }{
		{"kprobe:veth:veth_setup { @[func] = count(); }", "\n@:\nveth_setup             2\n"},
		{"kretprobe:veth:veth_dev_init { @[func, retval] = count(); }", "\n@:\n[ veth_dev_init, 0 ]         2\n"},
		{"kprobe:veth:veth_@(setup|dev_init) { @[func] = count(); }", "\n@:\nveth_dev_init          2\nveth_setup             2\n"},
	} {
		if r := ply(t, "run", "-c", addVeth, row.script); r.stdout != row.want {
			t.Errorf("%s: %+v", row.script, r)
		}
	}
	if out, err := exec.Command("rmmod", "dummy").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := `script:1:1: no module "dummy" is loaded: run "modprobe dummy" first`
	if r := ply(t, "run", "kprobe:dummy:dummy_setup { @ = count(); }"); r.status != 1 || !strings.HasPrefix(r.stderr, want) {
		t.Errorf("%+v", r)
	}
}

// A name that several functions have means all of them. Some may refuse.
func TestKprobeSameNames(t *testing.T) {
	need.OldAndNew(t)
	need.Kprobes(t)
	same := 0
	for _, s := range textSymbols(t) {
		if s.name == "type_show" {
			same++
		}
	}
	cat := "cat /sys/class/net/lo/type >/dev/null"
	for _, row := range []struct{ way, spec string }{
		{"--attach=auto", "kprobe:type_show"},
		{"--attach=plain", "kprobe:type_show"},
		{"--attach=auto", "kprobe:type_sh[o]*"}, // and others, which their names find
	} {
		r := ply(t, "run", row.way, "-c", cat, row.spec+" { @[func] = count(); }")
		n := 0
		if m := activeProbes.FindStringSubmatch(r.stderr); m != nil {
			n, _ = strconv.Atoi(m[1]) // digits by the expression
		}
		if n < 2 || n > same && !strings.Contains(row.spec, "*") {
			t.Errorf("%s: %d of %d attached: %+v", row, n, same, r)
		}
		if r.stdout != "\n@:\ntype_show              1\n" {
			t.Errorf("%s: %+v", row, r)
		}
	}
}

var activeProbes = regexp.MustCompile(`(\d+) probes? active`)

func TestKprobeErrors(t *testing.T) {
	need.OneGuest(t)
	need.Kprobes(t)
	for _, row := range []struct{ script, want string }{
		{"kprobe:vfs_read+0x800000 { @ = count(); }", "script:1:1: vfs_read+8388608 is behind the end of vfs_read, in "},
		{"kprobe:0x1000 { @ = count(); }", "script:1:1: no function of this kernel is at 0x1000: take the address from /proc/kallsyms"},
		{"kprobe:0xfffffffffffffff0 { @ = count(); }", "script:1:1: no function of this kernel is at 0xfffffffffffffff0"},
		{"kprobe:0x12345678901234567 { @ = count(); }", `script:1:1: "0x12345678901234567" is no address: write up to 16 hexadecimal digits after 0x`},
		{"kretprobe:vfs_read+4 { @ = count(); }", "script:1:1: kretprobe fires where a function returns: leave out the offset or address"},
		{"kprobe:nosuch:read { @ = count(); }", `script:1:1: no module "nosuch" is loaded: run "modprobe nosuch" first`},
	} {
		if r := ply(t, "run", "-t", "0.01", row.script); r.status != 1 || !strings.HasPrefix(r.stderr, row.want) {
			t.Errorf("%s: %+v\nwant %s", row.script, r, row.want)
		}
	}
	if runtime.GOARCH == "arm64" {
		r := ply(t, "run", "-t", "0.01", "kprobe:vfs_read+6 { @ = count(); }")
		if r.status != 1 || !strings.Contains(r.stderr, "begins there") {
			t.Errorf("%+v", r)
		}
	}
}
