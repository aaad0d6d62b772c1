package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"ply-exporter/internal/guest"
)

// writeInitramfs writes the guest's whole file system. It is not compressed:
// under emulation unpacking costs more than copying.
func writeInitramfs(name string, o options, programs []*program) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	c := newCPIO(w)
	addSystem(c, o.init)
	if err := addModules(c, o.modules); err != nil {
		return err
	}
	for _, pair := range o.files {
		here, inside, ok := strings.Cut(pair, ":")
		if !ok {
			return fmt.Errorf("-add %s: want host:guest", pair)
		}
		c.add(here, inside)
	}
	if err := addPrograms(c, programs); err != nil {
		return err
	}
	if err := c.close(); err != nil {
		return err
	}
	return w.Flush()
}

func addSystem(c *cpio, init string) {
	for _, dir := range []string{"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"} {
		c.dir(dir)
	}
	c.device("dev/console", 0o600, 5, 1)
	c.device("dev/null", 0o666, 1, 3)
	c.add(init, "init")
	c.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	c.file("etc/hosts", 0o644, []byte("127.0.0.1 localhost\n"))
}

// addModules adds kernel modules, decompressed because older kernels cannot do
// it themselves, and numbered to keep their order.
func addModules(c *cpio, files []string) error {
	for i, name := range files {
		image, err := readModule(name)
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		base, _, _ := strings.Cut(filepath.Base(name), ".")
		c.file(fmt.Sprintf("%s/%02d-%s.ko", guest.ModulesDir, i, base), 0o644, image)
	}
	return nil
}

func readModule(name string) ([]byte, error) {
	if strings.HasSuffix(name, ".xz") {
		return exec.Command("xz", "-dc", name).Output()
	}
	return os.ReadFile(name)
}

func addPrograms(c *cpio, programs []*program) error {
	var commands []guest.Command
	for _, p := range programs {
		commands = append(commands, p.Command)
		if p.binary != "" {
			c.add(p.binary, p.Argv[0])
		}
		for inside, here := range p.testdata {
			c.add(here, path.Join(p.Dir, inside))
		}
	}
	text, err := json.Marshal(commands)
	c.file(guest.CommandsFile, 0o644, text)
	return err
}
