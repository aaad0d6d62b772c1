package configtest

import (
	"errors"
	"fmt"
	"os/exec"

	"ply-exporter/exporter/config"
	"ply-exporter/plylang"
)

// lacks says what this machine does not have of what a test needs, "" when it has
// all of it. The error is about a need that is none.
func (f *fileRun) lacks(n config.Needs) (why string, err error) {
	if n.Kernel != "" && older(f.Kernel(), n.Kernel) {
		return fmt.Sprintf("needs kernel %s, this is %s", n.Kernel, f.Kernel()), nil
	}
	for _, name := range n.Commands {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Sprintf("needs the command %s, which is not installed here", name), nil
		}
	}
	for _, probe := range n.Probes {
		switch err := f.subject.Has(probe); {
		case isMissing(err):
			return fmt.Sprintf("needs the probe %s: %s", probe, message(err)), nil
		case err != nil:
			return "", n.At.Errorf("needs: probe %q: %s", probe, message(err))
		}
	}
	return "", nil
}

// message is an error without its position in a script that nobody wrote.
func message(err error) string {
	var list plylang.ErrorList
	var one *plylang.Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		return list[0].Msg
	case errors.As(err, &one):
		return one.Msg
	}
	return err.Error()
}

// older compares the first two numbers of two kernel releases.
func older(a, b string) bool {
	var a1, a2, b1, b2 int
	_, _ = fmt.Sscanf(a, "%d.%d", &a1, &a2)
	_, _ = fmt.Sscanf(b, "%d.%d", &b1, &b2)
	return a1 < b1 || a1 == b1 && a2 < b2
}
