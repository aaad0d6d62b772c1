package cli

import (
	"bufio"
	"fmt"
	"strings"

	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
	"ply-exporter/tracer/decode"
)

func (p *program) addList() {
	c := p.add("list", "List the probes available on this machine.",
		argument{name: "pattern", help: "Glob for probes, such as 'tracepoint:sched/*', or text to search for in their names.", optional: true})
	verbose := c.flags.BoolP("verbose", "v", false, "Also list the fields, parameters and return values of each probe.")
	c.run = func(args []string) int { return p.list(strings.Join(args, ""), *verbose) }
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
