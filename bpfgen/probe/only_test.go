package probe

import (
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/kernel"
)

// Links for one process are made only where the kernel counts all of its threads.
func TestThreadsOfOneProcess(t *testing.T) {
	for _, row := range []struct {
		release string
		pid     int
		want    bool
	}{{"6.8.0", 0, true}, {"6.8.0", 1, false}, {"6.10.0", 1, true}} {
		k, err := kernel.Open(fstest.MapFS{
			"proc/sys/kernel/osrelease": {Data: []byte(row.release)},
			"features":                  {Data: []byte(kernel.UprobeMulti)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := (&Resolver{kernel: k, pid: row.pid}).linksToMany(); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}
