package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An argument may be a negative number, which pflag would take for flags. So it
// gets those behind a prefix that no argument of a process can contain.
const dashMark = "\x00"

// markDashes puts the prefix before what begins with a dash and a digit, which no
// flag does.
func markDashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if len(arg) > 1 && arg[0] == '-' && strings.ContainsRune("0123456789.", rune(arg[1])) {
			out[i] = dashMark + arg
		}
	}
	return out
}

// unmark removes the prefixes again.
func unmark(text string) string { return strings.ReplaceAll(text, dashMark, "") }

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
