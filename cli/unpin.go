package cli

import (
	"fmt"
	"log/slog"

	"ply-exporter/tracer"
)

func (p *program) addUnpin() {
	c := p.add("unpin", "Remove what an exporter with --bpf.pin-path has left in the kernel.")
	path := c.flags.String("bpf.pin-path", "", "The `PATH` that it was given.")
	require(c.flags, "bpf.pin-path")
	c.run = func([]string) int { return p.unpin(*path) }
}

// unpin removes all pins, and says of which scripts.
func (p *program) unpin(path string) int {
	names, err := tracer.RemovePins(path, slog.New(slog.DiscardHandler))
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	out := &output{w: message{p.Out}}
	for _, name := range names {
		fmt.Fprintf(out, "%s: removed\n", name)
	}
	if len(names) == 0 {
		fmt.Fprintln(out, "nothing is pinned")
	}
	return p.failOutput(out.err)
}
