package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"ply-exporter/bpfgen/btffile"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/exporter"
	"ply-exporter/exporter/config"
)

// others are the kernels other than this one that a configuration is checked against.
type others struct {
	recorded, types []string // files
	release         string   // of the only file of types
}

// any says whether there is one.
func (o *others) any() bool { return len(o.recorded)+len(o.types) > 0 }

func (o *others) files() []string { return slices.Concat(o.recorded, o.types) }

// open opens the file of a kernel.
func (o *others) open(i int) (*kernel.Kernel, error) {
	if i < len(o.recorded) {
		return openRecorded(o.recorded[i])
	}
	name := o.types[i-len(o.recorded)]
	raw, err := readTypes(name)
	if err != nil {
		return nil, err
	}
	release := o.release
	if release == "" {
		release = releaseIn(name)
	}
	if release == "" {
		return nil, fmt.Errorf("%s: of which kernel it is stands in no BTF file: give --release, or name the file by it, such as 6.12.38+deb13-amd64.btf", name)
	}
	k, err := btffile.Open(raw, release)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

// readTypes reads a file of types, and of one that is none only as much: a device may have no
// end.
func readTypes(name string) ([]byte, error) {
	const limit = 64 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// wrong says which options do not go together.
func (o *others) wrong() error {
	switch {
	case o.release == "":
		return nil
	case len(o.types) != 1:
		return fmt.Errorf("--release %s is that of one BTF file, and %d are given: name the files by their releases", o.release, len(o.types))
	case !isRelease.MatchString(o.release):
		return fmt.Errorf("--release %q: a kernel's release is two numbers and what follows without spaces, such as 6.12.38+deb13-amd64", o.release)
	}
	return nil
}

var isRelease = regexp.MustCompile(`^[1-9][0-9]{0,2}\.[0-9]{1,3}([-+._~][-+._~0-9A-Za-z]*)?$`)

// releaseIn is the release by which a file is named; "" there is none.
func releaseIn(name string) string {
	base := strings.TrimSuffix(filepath.Base(name), ".btf")
	if isRelease.MatchString(base) {
		return base
	}
	return ""
}

// A fleet is what becomes of a configuration on several kernels.
type fleet struct {
	kernels  []string             // their releases
	outcomes [][]exporter.Outcome // by kernel, then by script
}

// checkFleet compiles for one kernel after the other, each of which is forgotten then.
func (f *checkFlags) checkFleet(cfg *config.Config) (*fleet, error) {
	var all fleet
	files := f.others.files()
	for i, file := range files {
		k, err := f.others.open(i)
		if err != nil {
			return nil, err
		}
		if before := slices.Index(all.kernels, nameOf(k)); before >= 0 {
			return nil, fmt.Errorf("%s and %s are both of kernel %s: give one of them", files[before], file, nameOf(k))
		}
		k.AssumeCPUs(f.cpus)
		backend := exporter.NewBackend(k, slog.New(slog.DiscardHandler), *f.attach == attachPlain)
		all.kernels = append(all.kernels, nameOf(k))
		all.outcomes = append(all.outcomes, exporter.Outcomes(cfg, backend))
		k.Forget()
	}
	return &all, nil
}

// nameOf is a kernel's release, with the architecture unless it is in there.
func nameOf(k *kernel.Kernel) string {
	name, arch := k.Release(), k.Arch()
	if strings.Contains(name, arch.Name) || strings.Contains(name, arch.Machine) {
		return name
	}
	return name + " " + arch.Name
}

// write writes a table with a line for each script, and below it why it is not "ok"
// everywhere. It returns how many scripts do not run on every kernel.
func (f *fleet) write(out io.Writer) (failed int) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(first string, cell func(i int) string) {
		cells := make([]string, len(f.kernels))
		for i := range cells {
			cells[i] = cell(i)
		}
		fmt.Fprintf(w, "%s\t%s\n", first, strings.Join(cells, "\t"))
	}
	line("script", func(i int) string { return f.kernels[i] })
	var reasons strings.Builder
	for s := range f.outcomes[0] {
		line(f.outcomes[0][s].Script, func(i int) string { return string(f.outcomes[i][s].State) })
		f.writeReasons(&reasons, s)
		if slices.ContainsFunc(f.outcomes, func(o []exporter.Outcome) bool { return !o[s].State.Runs() }) {
			failed++
		}
	}
	w.Flush()
	io.WriteString(out, reasons.String())
	return failed
}

// writeReasons writes what is said of a script, each text once.
func (f *fleet) writeReasons(out io.Writer, script int) {
	kernels := map[exporter.Outcome][]string{}
	var order []exporter.Outcome
	for i, name := range f.kernels {
		o := f.outcomes[i][script]
		if o.Detail == "" {
			continue
		}
		if kernels[o] == nil {
			order = append(order, o)
		}
		kernels[o] = append(kernels[o], name)
	}
	for _, o := range order {
		fmt.Fprintf(out, "\n%s, %s on %s:\n    %s\n", o.Script, o.State, strings.Join(kernels[o], ", "), strings.ReplaceAll(o.Detail, "\n", "\n    "))
	}
}
