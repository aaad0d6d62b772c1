package cli

import (
	"errors"
	"fmt"
	"os"

	"ply-exporter/bpfgen/kernel"
)

func (p *program) addRecord() {
	c := p.app.Command("record", "Write to FILE what scripts are compiled against on this machine, for check --kernel.")
	name := c.Arg("file", "Archive to write.").Required().String()
	p.add(c, func() int { return p.record(*name) })
}

func (p *program) record(name string) int {
	k, err := openMachine()
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	file, err := os.Create(name)
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	if err := errors.Join(k.Record(file), file.Close()); err != nil {
		return p.fail(p.prefix() + fmt.Sprintf("record %s: %v", name, err))
	}
	return statusOK
}

// openRecorded opens a kernel that "record" has written.
func openRecorded(name string) (*kernel.Kernel, error) {
	file, err := os.Open(name) // open as long as the kernel is in use: to the end
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	k, err := kernel.OpenRecorded(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}
