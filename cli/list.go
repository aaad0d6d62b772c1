package cli

import (
	"bufio"
	"fmt"

	"ply-exporter/bpfgen"
	"ply-exporter/plylang"
)

func (p *program) addList() {
	c := p.app.Command("list", "List the probes of this machine.")
	verbose := c.Flag("verbose", "With what each probe carries: fields, parameters, results.").Short('v').Bool()
	pattern := c.Arg("pattern", "A glob for probes, as in 'tracepoint:sched/*'; any other text is looked for in their names.").String()
	p.add(c, func() int { return p.list(*pattern, *verbose) })
}

func (p *program) list(pattern string, verbose bool) int {
	k, err := openMachine()
	if err != nil {
		return p.fail("ply-exporter: " + err.Error())
	}
	probes, err := bpfgen.List(k, pattern, verbose)
	if err != nil {
		return p.fail("ply-exporter: " + plylang.Detail(err))
	}
	w := bufio.NewWriter(p.Out)
	for _, probe := range probes {
		fmt.Fprintln(w, probe.Name)
		for _, v := range probe.Vars {
			fmt.Fprintf(w, "    %-32s %s\n", v.Name, v.Type)
		}
	}
	if err := w.Flush(); err != nil {
		return p.failOutput(err)
	}
	if len(probes) == 0 {
		return p.fail(fmt.Sprintf("ply-exporter: no probe of this machine matches %q", pattern))
	}
	return statusOK
}
