package cli

import (
	"bufio"
	"fmt"

	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

func (p *program) addList() {
	c := p.app.Command("list", "List the probes available on this machine.")
	verbose := c.Flag("verbose", "Also list the fields, parameters and return values of each probe.").Short('v').Bool()
	pattern := c.Arg("pattern", "Glob for probes, such as 'tracepoint:sched/*', or text to search for in their names.").String()
	p.add(c, func() int { return p.list(*pattern, *verbose) })
}

func (p *program) list(pattern string, verbose bool) int {
	k, err := openMachine()
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	probes, err := probe.List(k, pattern, verbose)
	if err != nil {
		return p.fail(p.prefix() + plylang.Detail(err))
	}
	w := bufio.NewWriter(p.Out)
	for _, probe := range probes {
		fmt.Fprintln(w, decode.ForTerminal.Escape(probe.Name))
		for _, v := range probe.Vars {
			fmt.Fprintf(w, "    %-32s %s\n", decode.ForTerminal.Escape(v.Name), decode.ForTerminal.Escape(v.Type))
		}
	}
	if err := w.Flush(); err != nil {
		return p.failOutput(err)
	}
	if len(probes) == 0 {
		return p.fail(p.prefix() + fmt.Sprintf("no probe on this machine matches %q", pattern))
	}
	return statusOK
}
