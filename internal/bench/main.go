// Command bench measures this tree beside an earlier commit, in one run on one
// machine, and prints what each row of docs/performance.md says: the earlier
// value, today's, their ratio, and the limit that the ratio has to keep.
//
// Some rows compare this tree with another way to the same end instead, or with tools
// of bpftrace and bpfcc where these are installed and run.
//
// It needs root, Linux 5.10 or later and a clone that has the earlier commit.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"text/tabwriter"
)

// baseline is the commit that the limits were set against.
const baseline = "ec3bed6"

func main() {
	base := flag.String("base", baseline, "commit to compare with")
	rounds := flag.Int("rounds", 3, "times each build is measured, in turn; the least value counts")
	run := flag.String("run", "", "regular expression of the rows to measure")
	flag.Parse()
	pattern, err := regexp.Compile(*run)
	if err == nil {
		err = bench(*base, *rounds, pattern)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(base string, rounds int, pattern *regexp.Regexp) error {
	folder, err := os.MkdirTemp("", "ply-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	removeOnInterrupt(folder)
	b, err := build(base, folder)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "measured\t%s\tnow\tratio\tlimit\t\n", base)
	defer out.Flush()
	for _, r := range rows() {
		if !pattern.MatchString(r.name) {
			continue
		}
		if err := r.measure(b, rounds, out); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// removeOnInterrupt leaves nothing behind when the user gives up.
func removeOnInterrupt(folder string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		_ = os.RemoveAll(folder)
		os.Exit(1)
	}()
}
