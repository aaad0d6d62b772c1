package kernel

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// Record writes the files of the kernel that compiling reads, as a zip archive
// that OpenRecorded reads: what was compiled for it elsewhere is what it would be
// here, features included. Addresses of symbols are moved to where a kernel
// without address randomization has them.
//
// What this process may not read is left out. Without tracefs or the kernel's
// types a recording is of little use, and Record fails.
func (k *Kernel) Record(w io.Writer) error {
	r := &recorder{k: k, archive: zip.NewWriter(w)}
	folder, err := k.Tracing()
	if err != nil {
		return err
	}
	if _, err := k.BTF(); err != nil {
		return err
	}
	r.write("proc/sys/kernel/arch", []byte(k.arch.Machine+"\n"))
	for _, name := range []string{
		"proc/sys/kernel/osrelease", "proc/sys/kernel/perf_event_paranoid", "proc/sys/kernel/kptr_restrict",
		"sys/devices/system/cpu/possible", "sys/devices/system/cpu/online",
	} {
		r.copy(name, name)
	}
	r.copy(folder+"/available_filter_functions", "sys/kernel/tracing/available_filter_functions")
	r.folder("sys/kernel/btf")
	r.formats(folder)
	r.symbols()
	r.blacklist()
	r.features()
	return errors.Join(r.err, r.archive.Close())
}

// OpenRecorded opens a kernel that Record has written.
func OpenRecorded(archive io.ReaderAt, size int64) (*Kernel, error) {
	files, err := zip.NewReader(archive, size)
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(files, "features"); err != nil {
		return nil, errors.New("is no recording of a kernel: write it with \"ply-exporter record\"")
	}
	for _, file := range files.File {
		if err := readWhole(file); err != nil {
			return nil, fmt.Errorf("is damaged: %s: %w", file.Name, err)
		}
	}
	return Open(files)
}

// readWhole finds out whether a file of an archive is as it was written: what
// cannot be read would pass for what the kernel does not have.
func readWhole(file *zip.File) error {
	r, err := file.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// A recorder writes an archive. Its first error ends it.
type recorder struct {
	k       *Kernel
	archive *zip.Writer
	err     error
}

func (r *recorder) write(name string, text []byte) {
	if r.err != nil {
		return
	}
	file, err := r.archive.Create(name)
	if err == nil {
		_, err = file.Write(text)
	}
	r.err = err
}

// copy copies a file that can be read.
func (r *recorder) copy(from, to string) {
	if text, err := fs.ReadFile(r.k.files, from); err == nil {
		r.write(to, text)
	}
}

func (r *recorder) folder(name string) {
	entries, _ := fs.ReadDir(r.k.files, name)
	for _, e := range entries {
		r.copy(path.Join(name, e.Name()), path.Join(name, e.Name()))
	}
}

// formats copies the formats of the kernel's own tracepoints.
func (r *recorder) formats(folder string) {
	names, err := r.k.Tracepoints("*", "*")
	r.err = errors.Join(r.err, err)
	dynamic := r.k.DynamicEvents()
	for _, name := range names {
		if dynamic[name] == "" {
			r.copy(folder+"/events/"+name+"/format", "sys/kernel/tracing/events/"+name+"/format")
		}
	}
}

// linkedAt is where recorded kernels begin.
const linkedAt = 0xffffffff81000000

// symbols writes the symbols, at addresses that tell nothing of where this kernel lies in
// memory.
func (r *recorder) symbols() {
	symbols, err := r.k.Symbols()
	if err != nil {
		r.err = errors.Join(r.err, err)
		return
	}
	base, _ := symbols.Addr("_stext")
	var text bytes.Buffer
	for symbol := range symbols.addrs {
		kind := "t"
		if symbols.isWeak(symbol) {
			kind = "w"
		}
		writeSymbol(&text, symbols.addrs[symbol]-base+linkedAt, kind, symbols.nameBytes(symbol), symbols.modules[symbols.owner[symbol]])
	}
	for s := range r.k.allSymbols() {
		if ofText(s.kind) {
			continue
		}
		if s.addr >= 1<<63 { // else it is of each CPU, and counted from 0
			s.addr += linkedAt - base
		}
		writeSymbol(&text, s.addr, string(s.kind), s.name, string(s.module))
	}
	r.write("proc/kallsyms", text.Bytes())
}

func writeSymbol(text *bytes.Buffer, addr uint64, kind string, name []byte, module string) {
	fmt.Fprintf(text, "%016x %s %s", addr, kind, name)
	if module != "" {
		fmt.Fprintf(text, "\t[%s]", module)
	}
	text.WriteByte('\n')
}

// blacklist writes the names of the functions that no probe may be at.
func (r *recorder) blacklist() {
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r.k.kept.Load().blacklist())) {
		fmt.Fprintf(&text, "0x0-0x0\t%s\n", name)
	}
	r.write("sys/kernel/debug/kprobes/blacklist", text.Bytes())
}

func (r *recorder) features() {
	var text bytes.Buffer
	for _, row := range Features {
		if r.k.Has(row.Feature) {
			fmt.Fprintln(&text, row.Feature)
		}
	}
	r.write("features", text.Bytes())
}
