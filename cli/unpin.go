package cli

import (
	"fmt"
	"log/slog"

	"ply-exporter/tracer"
)

func (p *program) addUnpin() {
	c := p.app.Command("unpin", "Remove what an exporter with --bpf.pin-path has left in the kernel.")
	path := c.Flag("bpf.pin-path", "The path that it was given.").Required().PlaceHolder("PATH").String()
	p.add(c, func() int { return p.unpin(*path) })
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
