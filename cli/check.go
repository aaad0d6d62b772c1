package cli

import (
	"fmt"
	"log/slog"
	"strings"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// checkFlags are the options of "check".
type checkFlags struct {
	load      loadFunc
	attach    *string
	maxSeries *int
	budget    *size
	cpus      int
	noKernel  bool
	others    others
	against   []string
}

func (p *program) addCheck() {
	c := p.add("check", "Compile a configuration, verify it on this kernel, and list its metrics with labels and cost.")
	flags := c.flags
	f := checkFlags{load: configFlags(flags), attach: attachFlag(flags), maxSeries: maxSeriesFlag(flags), budget: memoryBudgetFlag(flags)}
	numberFlag(flags, &f.cpus, "cpus", 0, "Show memory and series as on a machine with `N` possible CPUs (0 = this machine).")
	flags.BoolVar(&f.noKernel, "no-kernel", false, "Load nothing into the kernel, which takes no privileges but to read tracefs, if a script has tracepoints: names, types, metrics and costs are checked, the kernel verifies nothing.")
	flags.StringArrayVar(&f.others.recorded, "kernel", nil, "Like --no-kernel, but for the kernel that the command record has written to `FILE`, not for this one (repeatable: of several, a table).")
	flags.StringArrayVar(&f.others.types, "btf", nil, "Like --kernel, but for the kernel whose types are in `FILE`, such as /sys/kernel/btf/vmlinux, and nothing else (repeatable).")
	flags.StringVar(&f.others.release, "release", "", "Release of the kernel of --btf. The default is the name of the file.")
	flags.StringArrayVar(&f.against, "against", nil, "Show what a reload would change where the configuration `FILE`, which may be a directory, runs (repeatable).")
	c.run = func([]string) int { return p.check(&f) }
}

// maxCPUs is more than Linux can be built for.
const maxCPUs = 8192

func (p *program) check(f *checkFlags) int {
	if f.cpus < 0 || f.cpus > maxCPUs {
		return p.fail(p.prefix() + fmt.Sprintf("--cpus %d: give 1 to %d, the CPUs that the machine can have", f.cpus, maxCPUs))
	}
	if *f.maxSeries < 0 {
		return p.fail(p.prefix() + fmt.Sprintf("--metrics.max-series %d is below 0: 0 is no bound", *f.maxSeries))
	}
	if err := f.others.wrong(); err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	cfg, err := f.load(!f.noKernel && !f.others.any())
	if err != nil {
		return p.fail(plylang.Detail(err))
	}
	if len(f.others.files()) > 1 {
		return p.checkFleet(f, cfg)
	}
	backend, result, err := f.backend()
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	out := &output{w: message{p.Out}}
	if err := exporter.Check(out, cfg, backend, exporter.Limits{Series: *f.maxSeries, Memory: int(*f.budget)}); err != nil {
		return p.fail(plylang.Detail(err))
	}
	if len(f.against) > 0 {
		old, err := config.Load(f.against)
		if err != nil {
			return p.fail(plylang.Detail(err))
		}
		fmt.Fprintf(out, "against %s:\n", strings.Join(f.against, ", "))
		if err := exporter.Against(out, old, cfg, backend); err != nil {
			return p.fail(plylang.Detail(err))
		}
	}
	fmt.Fprintln(out, result)
	return p.failOutput(out.err)
}

// backend returns what compiles and verifies, and what can be said when it does.
func (f *checkFlags) backend() (b exporter.Backend, result string, err error) {
	if !f.others.any() && !f.noKernel {
		real, err := openBackend(slog.New(slog.DiscardHandler), *f.attach)
		if err == nil {
			real.AssumeCPUs(f.cpus)
		}
		return real, "all scripts run on this kernel", err
	}
	k, err := kernel.Running()
	result = "all scripts compile for this kernel, which has not verified them"
	if f.others.any() {
		k, err = f.others.open(0)
		result = fmt.Sprintf("all scripts compile for the kernel of %s; none has verified them", f.others.files()[0])
	}
	if err != nil {
		return nil, "", err
	}
	k.AssumeCPUs(f.cpus)
	return exporter.Unverified{KernelBackend: exporter.NewBackend(k, slog.New(slog.DiscardHandler), *f.attach == attachPlain)}, result, nil
}

// checkFleet shows what becomes of each script on each of several kernels.
func (p *program) checkFleet(f *checkFlags, cfg *config.Config) int {
	if len(f.against) > 0 {
		return p.fail(p.prefix() + "--against shows what changes on one kernel: give one --kernel or --btf")
	}
	all, err := f.checkFleet(cfg)
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	out := &output{w: message{p.Out}}
	failed := all.write(out)
	if failed > 0 {
		return p.fail(fmt.Sprintf("%d of %d scripts do not compile for every kernel", failed, len(cfg.Scripts)))
	}
	fmt.Fprintf(out, "all scripts compile for all %d kernels; none has verified them\n", len(all.kernels))
	return p.failOutput(out.err)
}
