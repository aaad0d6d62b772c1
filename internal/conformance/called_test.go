package conformance

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// This program is also one for records to trace, which guests have, too:
//
//	calls N [THREADS]
//
// says that it is ready, waits for a line or the end of its input, and then calls the functions below N times in
// each of so many threads, and getpriority as often, which no shell calls.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "calls" {
		if err := calls(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func calls(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	threads := 1
	if len(args) > 1 {
		if threads, err = strconv.Atoi(args[1]); err != nil {
			return err
		}
	}
	fmt.Println()
	bufio.NewScanner(os.Stdin).Scan()
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			runtime.LockOSThread()
			for i := range n {
				called.Add(outer(uint64(i % 2)))
				if _, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	return nil
}

// called keeps what the functions return, so that none of them is called for nothing.
var called atomic.Uint64

// outer calls inner twice.
//
//go:noinline
func outer(a uint64) uint64 { return inner(a, 40, "wordless") + inner(a+2, 41, "text") }

// inner calls nothing.
//
//go:noinline
func inner(a, b uint64, text string) uint64 { return a + b + uint64(len(text)) }
