package kernel

import (
	"bufio"
	"path"
	"strings"
)

// DynamicEvents returns the tracepoints that somebody has made while the kernel
// runs, with perf probe or through tracefs, and the line that defines each, by
// "category/event". The kernel runs no program for tracepoints at them.
func (k *Kernel) DynamicEvents() map[string]string {
	return k.Memo(dynamicEvents{}, func() any { return k.readDynamicEvents() }).(map[string]string)
}

// dynamicEvents is what they are kept under.
type dynamicEvents struct{}

func (k *Kernel) readDynamicEvents() map[string]string {
	events := map[string]string{}
	folder, err := k.Tracing()
	if err != nil {
		return events
	}
	for _, name := range []string{"dynamic_events", "kprobe_events", "uprobe_events"} {
		file, err := k.files.Open(path.Join(folder, name))
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if name, ok := dynamicEvent(lines.Text()); ok {
				events[name] = lines.Text()
			}
		}
		file.Close()
	}
	return events
}

// dynamicEvent returns the name in a definition such as
//
//	p:probe/vfs_read vfs_read count=%dx
//	r16:probe/vfs_read__return vfs_read
//	s:synthetic/latency	u64 lat; pid_t pid
func dynamicEvent(line string) (name string, ok bool) {
	_, rest, ok := strings.Cut(line, ":")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 || !strings.Contains(fields[0], "/") {
		return "", false
	}
	return fields[0], true
}
