package cli

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Flags of ply
//
// What the releases of ply had, and run has by another name or always does, is
// taken without being shown in the help.

func addPlyFlags(flags *pflag.FlagSet, f *runFlags) {
	flags.BoolP("unbuffer", "u", false, "Output is never buffered.")
	flags.BoolVar(&f.onlyComp, "dry-run", false, "Same as --compile.")
	flags.BoolVarP(&f.dump, "debug", "d", false, "Same as --dump.")
	flags.Var(setting{Value: &f.time}, "timeout", "Same as --time.")
	flags.BoolP("self-test", "T", false, "There is none.")
	hide(flags, "unbuffer", "dry-run", "debug", "timeout", "self-test")
}

// plyHint says what to write instead of a command line of another ply; "" when it
// is none, or says what is wrong itself.
func (p *program) plyHint(text string) string {
	if !p.isRun() || !strings.HasPrefix(text, "required argument 'script'") {
		return ""
	}
	if slices.ContainsFunc(p.args, func(a string) bool { return a == "-T" || a == "--self-test" }) {
		return "there is no self-test: \"ply-exporter check\" tries what the built-in configuration needs"
	}
	if i := slices.Index(p.args, "-c"); i >= 0 && i+1 < len(p.args) && strings.Contains(p.args[i+1], "{") {
		return "the script is an argument of its own, and -c gives a command to run: leave out -c"
	}
	return ""
}
