package cli

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"

	"ply-exporter/bpfgen/kernel"
)

func (p *program) addRecord() {
	c := p.add("record", "Write to FILE what scripts are compiled against on this machine, for check --kernel.", argument{name: "file", help: "Archive to write, or - for standard output."})
	c.run = func(args []string) int { return p.record(args[0]) }
}

func (p *program) record(name string) int {
	k, err := openMachine()
	if err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	if name == "-" {
		name = "/dev/stdout"
	}
	if err := writeRecording(k, name); err != nil {
		return p.fail(p.prefix() + err.Error())
	}
	return statusOK
}

// writeRecording leaves an earlier recording as it is when the kernel cannot be read, or
// the new one has no room on the disk.
func writeRecording(k *kernel.Kernel, name string) error {
	var archive bytes.Buffer
	if err := k.Record(&archive); err != nil {
		return err
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return os.WriteFile(name, archive.Bytes(), 0o666)
	}
	before, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return rewrite(name, string(before), archive.String())
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
	if errors.Is(err, zip.ErrFormat) {
		err = errors.New("is no recording of a kernel, or only a part of one: write it with \"ply-exporter record\"")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}
