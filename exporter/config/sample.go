package config

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxSample is how many events one of a sample can stand for at most.
const MaxSample = 1024

// A Sample is which events of a script are looked at.
type Sample struct {
	// Every is how many events one that is looked at stands for: a power of two. 0: as
	// many as the budget of the script demands.
	Every int
}

// String says which events are looked at; "" for the nil one, which is all.
func (s *Sample) String() string {
	switch {
	case s == nil:
		return ""
	case s.Every == 0:
		return fmt.Sprintf("a part of the events, at least one in %d, when it exceeds its budget", MaxSample)
	}
	return fmt.Sprintf("one event in %d, which stands for all", s.Every)
}

// sample reads "auto" or "1/16".
func (v value) sample() *Sample {
	if !v.isScalar() {
		v.fail("sample must be auto or a part such as 1/16, not %s", v.kind())
		return nil
	}
	text := v.node.Value
	if text == "auto" {
		return &Sample{}
	}
	n, err := strconv.Atoi(strings.TrimPrefix(text, "1/"))
	if err != nil || !strings.HasPrefix(text, "1/") || n < 2 || n > MaxSample || n&(n-1) != 0 {
		v.fail("sample %q: give auto, or 1/N with a power of two from 2 to %d, such as 1/16", text, MaxSample)
		return nil
	}
	return &Sample{n}
}
