package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/exporter/configtest"
)

// testFlags are the options of "test".
type testFlags struct {
	verbose  bool
	run      string
	attach   *string
	writable *bool
}

func (p *program) addTest() {
	var f testFlags
	c := p.add("test", "Test configurations: run commands and compare what the metrics show with what test files expect.",
		argument{name: "file", help: "Test files.", many: true})
	c.flags.BoolVarP(&f.verbose, "verbose", "v", false, "Also show tests that pass, and what their commands print.")
	c.flags.StringVar(&f.run, "run", "", "Run only the tests whose FILE/NAME matches the regular expression `REGEXP`.")
	f.attach, f.writable = attachFlag(c.flags), allowWritableFlag(c.flags)
	c.run = func(files []string) int { return p.test(&f, files) }
}

// test runs test files. ^C ends the command that runs, and a second one this
// process.
func (p *program) test(f *testFlags, files []string) int {
	out := &output{w: p.Out}
	r := &configtest.Runner{Out: out, Verbose: f.verbose, Kernel: kernelRelease}
	if f.run != "" {
		var err error
		if r.Select, err = regexp.Compile(f.run); err != nil {
			return p.usage(fmt.Errorf("test: --run %q: %w", f.run, err))
		}
	}
	r.Load = config.Loader{Verify: verifyWriters(*f.writable)}.LoadTests
	r.Open = func(cfg *config.Config) (configtest.Subject, error) {
		backend, err := openBackend(slog.New(slog.DiscardHandler), *f.attach)
		if err != nil {
			return nil, err
		}
		return exporter.NewReader(cfg, backend)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	return max(p.testFiles(ctx, r, files), p.failOutput(out.err))
}

func (p *program) testFiles(ctx context.Context, r *configtest.Runner, files []string) int {
	status := statusOK
	for _, file := range files {
		if ctx.Err() == nil && !r.Run(ctx, file) {
			status = statusError
		}
	}
	if ctx.Err() != nil {
		return p.fail(p.prefix() + "interrupted")
	}
	if status != statusOK {
		fmt.Fprintln(r.Out, "FAIL")
	}
	return status
}

// kernelRelease is what uname -r prints.
func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
