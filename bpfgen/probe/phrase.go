package probe

import (
	"fmt"
	"strings"

	"ply-exporter/plylang"
)

// A missingError is what this kernel lacks.
type missingError string

func (e missingError) Error() string        { return string(e) }
func (e missingError) Is(target error) bool { return target == plylang.ErrMissing }

func missingf(format string, args ...any) error {
	return missingError(fmt.Sprintf(format, args...))
}

// A laterError is a program or library that is not there, and may come at any time.
type laterError string

func (e laterError) Error() string { return string(e) }
func (e laterError) Is(target error) bool {
	return target == plylang.ErrMissing || target == plylang.ErrLater
}

func laterf(format string, args ...any) error { return laterError(fmt.Sprintf(format, args...)) }

// orList joins names as prose does: a, b or c.
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// plural counts things: 1 CPU, 2 CPUs.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
