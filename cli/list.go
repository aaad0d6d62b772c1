package cli

import (
	"bufio"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"ply-exporter/bpfgen"
	"ply-exporter/bpfgen/kernel"
	"ply-exporter/plylang"
	"ply-exporter/tracer"
)

func addList(app *kingpin.Application, add func(*kingpin.CmdClause, func() int)) {
	c := app.Command("list", "List the probes of this machine.")
	verbose := c.Flag("verbose", "With what each probe carries: fields, parameters, results.").Short('v').Bool()
	pattern := c.Arg("pattern", "A glob for probes, as in 'tracepoint:sched/*'; any other text is looked for in their names.").String()
	add(c, func() int { return list(*pattern, *verbose) })
}

func list(pattern string, verbose bool) int {
	_ = tracer.MountTracefs() // what needs it says what is wrong, and the cure
	k, err := kernel.Running()
	if err != nil {
		return fail("ply-exporter: " + err.Error())
	}
	tracer.Detect(k)
	probes, err := bpfgen.List(k, pattern, verbose)
	if err != nil {
		return fail("ply-exporter: " + plylang.Detail(err))
	}
	w := bufio.NewWriter(os.Stdout)
	for _, p := range probes {
		fmt.Fprintln(w, p.Name)
		for _, v := range p.Vars {
			fmt.Fprintf(w, "    %-32s %s\n", v.Name, v.Type)
		}
	}
	if err := w.Flush(); err != nil {
		return fail("ply-exporter: standard output: " + err.Error())
	}
	if len(probes) == 0 {
		return fail(fmt.Sprintf("ply-exporter: no probe of this machine matches %q", pattern))
	}
	return statusOK
}
