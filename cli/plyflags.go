package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// Flags of ply
//
// What the releases of ply had, and run has by another name or always does, is
// taken without being shown in the help.

func addPlyFlags(c *kingpin.CmdClause, f *runFlags) {
	c.Flag("unbuffer", "Output is never buffered.").Short('u').Hidden().Bool()
	c.Flag("dry-run", "Same as --compile.").Hidden().BoolVar(&f.onlyComp)
	c.Flag("debug", "Same as --dump.").Short('d').Hidden().BoolVar(&f.dump)
	c.Flag("timeout", "Same as --time.").PlaceHolder("SECONDS").Hidden().SetValue(&f.time)
	c.Flag("self-test", "There is none.").Short('T').Hidden().Bool()
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
