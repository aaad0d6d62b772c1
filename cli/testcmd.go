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
	files    []string
}

func (p *program) addTest() {
	var f testFlags
	c := p.app.Command("test", "Test configurations: run commands and compare what the metrics show with what test files expect.")
	c.Flag("verbose", "Also show tests that pass, and what their commands print.").Short('v').BoolVar(&f.verbose)
	c.Flag("run", "Run only the tests whose FILE/NAME matches the regular expression.").PlaceHolder("REGEXP").StringVar(&f.run)
	f.attach, f.writable = attachFlag(c), allowWritableFlag(c)
	c.Arg("file", "Test files.").Required().StringsVar(&f.files)
	p.add(c, func() int { return p.test(&f) })
}

// test runs test files. ^C ends the command that runs, and a second one this
// process.
func (p *program) test(f *testFlags) int {
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
	return max(p.testFiles(ctx, r, f.files), p.failOutput(out.err))
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
