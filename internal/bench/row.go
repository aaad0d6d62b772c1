package main

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// A row is one situation: a configuration under a load, of which run measures
// one or several values with the program at path.
type row struct {
	name   string
	values []value
	run    func(path string) ([]float64, error)

	// beside is another way to the same end, with which this build is compared
	// instead of the earlier one; nil: there is none.
	beside func(path string) ([]float64, error)

	// parts prints what the values of the last round consist of; nil: nothing.
	parts func(out io.Writer)
}

// A value is what one line of the table shows.
type value struct {
	name  string
	unit  string
	ratio float64 // most of the earlier build's, 0 is no limit
	most  float64 // most in its unit, 0 is no limit
	alone bool    // the earlier build cannot measure it
}

func rows() []row {
	var all []row
	for _, group := range [][]row{scrapeRows, startRows, shippedRows, restartRows, programRows, memoryRows, eventRows, toolRows} {
		all = append(all, group...)
	}
	return all
}

// measure runs both builds in turn and prints a line for each value. The least
// of each counts: what a busy machine adds is never negative.
func (r row) measure(b builds, rounds int, out io.Writer) error {
	before, now := r.none(), r.none()
	for range rounds {
		switch err := r.measureBefore(before, b); {
		case errors.Is(err, errNotCompared):
			fmt.Fprintf(out, "%s: %v\n", r.name, err)
			return nil
		case err != nil:
			return err
		}
		if err := least(now, r.run, b.now); err != nil {
			return err
		}
	}
	for i, v := range r.values {
		fmt.Fprintf(out, "%s: %s\t%s\n", r.name, v.name, v.line(before[i], now[i]))
	}
	if r.parts != nil {
		r.parts(out)
	}
	return nil
}

func (r row) none() []float64 {
	all := make([]float64, len(r.values))
	for i := range all {
		all[i] = math.Inf(1)
	}
	return all
}

// measureBefore measures what today's value is compared with.
func (r row) measureBefore(before []float64, b builds) error {
	switch {
	case r.beside != nil:
		return least(before, r.beside, b.now)
	case r.values[0].alone:
		return nil
	}
	if err := least(before, r.run, b.base); err != nil {
		return fmt.Errorf("the earlier build: %w", err)
	}
	return nil
}

// least lowers values to those of another run.
func least(least []float64, run func(string) ([]float64, error), path string) error {
	values, err := run(path)
	if err != nil {
		return err
	}
	for i, v := range values {
		least[i] = min(least[i], v)
	}
	return nil
}

// line gives the earlier value, today's, their ratio, the limits, and whether
// they are kept.
func (v value) line(before, now float64) string {
	kept := (v.ratio == 0 || now <= v.ratio*before) && (v.most == 0 || now <= v.most)
	word := map[bool]string{true: "", false: "over the limit"}[kept]
	if v.alone {
		return fmt.Sprintf("–\t%.1f %s\t–\t%s\t%s", now, v.unit, v.limit(), word)
	}
	return fmt.Sprintf("%.1f %s\t%.1f %s\t%.2f\t%s\t%s", before, v.unit, now, v.unit, now/before, v.limit(), word)
}

func (v value) limit() string {
	switch {
	case v.ratio != 0 && v.most != 0:
		return fmt.Sprintf("%.2f, %g %s", v.ratio, v.most, v.unit)
	case v.most != 0:
		return fmt.Sprintf("%g %s", v.most, v.unit)
	case v.ratio != 0:
		return fmt.Sprintf("%.2f", v.ratio)
	}
	return "–"
}
