package tracer

import "sync"

// Parallel calls do for each number below n, so many at a time, and returns when all
// calls have.
func Parallel(n, atOnce int, do func(i int)) {
	slots := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wait.Wait()
}
