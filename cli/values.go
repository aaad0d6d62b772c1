package cli

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"ply-exporter/exporter/config"
)

// A setting is the value of a flag that pflag has no type for.
type setting struct {
	flag.Value
	many    bool     // the flag may be given more than once
	options []string // all that it may be, if these are few
}

// Type is for pflag, which shows it nowhere here.
func (setting) Type() string { return "" }

// takesNone says whether a flag stands alone: it is true or false.
func takesNone(f *pflag.Flag) bool { return f.NoOptDefVal != "" }

// isMany says whether a flag may be given more than once.
func isMany(f *pflag.Flag) bool {
	s, _ := f.Value.(setting)
	_, isList := f.Value.(pflag.SliceValue)
	return s.many || isList
}

// require has a flag given always.
func require(flags *pflag.FlagSet, name string) {
	flags.Lookup(name).Annotations = map[string][]string{required: nil}
}

const required = "required"

func isRequired(f *pflag.Flag) bool {
	_, ok := f.Annotations[required]
	return ok
}

// hide keeps flags out of the help.
func hide(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.Lookup(name).Hidden = true
	}
}

// A choice is one of a few words.
type choice struct {
	text    *string
	options []string
}

// oneOf is the value of a flag that is one of a few words, the first of them by default.
func oneOf(text *string, options ...string) setting {
	*text = options[0]
	return setting{Value: choice{text, options}, options: options}
}

func (c choice) String() string { return *c.text }

// Set takes one of the words.
func (c choice) Set(text string) error {
	if !slices.Contains(c.options, text) {
		return fmt.Errorf("enum value must be one of %s, got '%s'", strings.Join(c.options, ","), text)
	}
	*c.text = text
	return nil
}

// A number is a flag that is a whole number.
type number struct {
	n    *int
	flag string
}

func (v *number) String() string { return strconv.Itoa(*v.n) }

// Set reads a number.
func (v *number) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s %q: give a whole number, such as 100", v.flag, text)
	}
	*v.n = n
	return nil
}

// A size is a flag of bytes: 64MiB, 64MB, 67108864.
type size int

func (s *size) String() string { return strconv.Itoa(int(*s)) }

// Set reads a size.
func (s *size) Set(text string) error {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		*s = size(n)
		return nil
	}
	n, err := units.ParseStrictBytes(text)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size: give one such as 64MiB", text)
	}
	*s = size(n)
	return nil
}

// An interval is a flag that is a time with its unit, of those that Go or Prometheus
// has: 30s, 1.5h, 1d.
type interval struct {
	d    *time.Duration
	flag string
}

func (v interval) String() string { return model.Duration(*v.d).String() }

// Set reads an interval.
func (v interval) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		var days model.Duration
		days, err = model.ParseDuration(text)
		d = time.Duration(days)
	}
	if err != nil {
		return fmt.Errorf("%s %q: give a time with its unit, such as 30s or 1d", v.flag, text)
	}
	*v.d = d
	return nil
}

// A share is a flag that is a share of a CPU: 5%.
type share struct{ s *config.Share }

func (v share) String() string { return v.s.String() }

// Set reads a share.
func (v share) Set(text string) (err error) {
	*v.s, err = config.ParseShare(text)
	return err
}
