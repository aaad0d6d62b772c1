package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The arguments of a script may be "-" and negative numbers. kingpin drops the
// former and takes the latter for options, so both are passed to it behind a
// prefix that no argument of a process can contain.
const dashMark = "\x00"

// markDashes puts the prefix before "-" and before anything that begins with a
// dash and a digit, which no option does.
func markDashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "-" || len(arg) > 1 && arg[0] == '-' && strings.ContainsRune("0123456789.", rune(arg[1])) {
			out[i] = dashMark + arg
		}
	}
	return out
}

// unmark removes the prefixes again.
func unmark(text string) string { return strings.ReplaceAll(text, dashMark, "") }

// A textValue is an option or argument that may be any text.
type textValue string

// String is the text.
func (v *textValue) String() string { return string(*v) }

// Set is what the parser calls.
func (v *textValue) Set(text string) error {
	*v = textValue(unmark(text))
	return nil
}

// textValues are arguments that may be any text.
type textValues []string

// String is what the parser shows as a default.
func (v *textValues) String() string { return strings.Join(*v, " ") }

// Set is what the parser calls for each.
func (v *textValues) Set(text string) error {
	*v = append(*v, unmark(text))
	return nil
}

// IsCumulative lets the parser call Set more than once.
func (v *textValues) IsCumulative() bool { return true }

// A timeValue is a number of seconds or a duration with units; 0 means no limit.
type timeValue struct {
	time.Duration
	flag  string
	least time.Duration // the smallest value other than 0
}

// longestTime is a hundred years.
const longestTime = 100 * 365 * 24 * time.Hour

// Set is what the parser calls.
func (v *timeValue) Set(text string) error {
	text = unmark(text)
	d, err := time.ParseDuration(text)
	if seconds, bad := strconv.ParseFloat(text, 64); bad == nil {
		d, err = fromSeconds(seconds), nil
	}
	if err != nil || d != 0 && (d < v.least || d > longestTime) {
		return fmt.Errorf("invalid time %q for %s: use seconds, such as 1.5, or a duration, such as 1h30m or 200ms, from %v to 100 years", text, v.flag, v.least)
	}
	v.Duration = d
	return nil
}

// fromSeconds returns -1, which is out of range, for what does not fit.
func fromSeconds(seconds float64) time.Duration {
	d := seconds * float64(time.Second)
	switch {
	case seconds == 0:
		return 0
	case d >= 1 && d <= float64(longestTime):
		return time.Duration(d)
	}
	return -1 // also for NaN
}
