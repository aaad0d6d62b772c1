package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"ply-exporter/bpfgen/kernel"
)

// A mapping is a piece of a process's memory that has a file in it which has no name. The
// inode is that which the kernel has: stat(2) tells others of some file systems.
type mapping struct {
	Start, Inode uint64
	Device, PID  uint32
}

func (m mapping) sameFile(o mapping) bool { return m.Inode == o.Inode && m.Device == o.Device }

// mappings is the iterator program of this process that tells them. It stays loaded.
var mappings struct {
	sync.Mutex
	link *link.Iter
}

// machineNamespace is the PID namespace of the machine, in which all processes are seen.
const machineNamespace = "pid:[4026531836]"

// namelessMappings are all such mappings that there are. It needs Linux 5.12. It asks no right to look into processes, which
// /proc does.
func namelessMappings(k *kernel.Kernel) (all []mapping, err error) {
	if namespace, err := os.Readlink("/proc/self/ns/pid"); err != nil || namespace != machineNamespace {
		return nil, fmt.Errorf("this process has a PID namespace of its own, %s", namespace)
	}
	mappings.Lock()
	defer mappings.Unlock()
	if mappings.link == nil {
		if mappings.link, err = openMappings(k); err != nil {
			return nil, fmt.Errorf("iterator of mappings: %w", err)
		}
	}
	text, err := (&iterator{link: mappings.link}).read(nil)
	if err != nil {
		return nil, fmt.Errorf("iterator of mappings: %w", err)
	}
	all = make([]mapping, len(text)/binary.Size(mapping{}))
	return all, binary.Read(bytes.NewReader(text), binary.NativeEndian, all)
}

func openMappings(k *kernel.Kernel) (*link.Iter, error) {
	code, err := mappingsProgram(k)
	if err != nil {
		return nil, err
	}
	spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"ply_mappings": {
		Name: "ply_mappings", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "task_vma", License: "GPL", Instructions: code,
	}}}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: k.TypeCache()})
	if err != nil {
		return nil, err
	}
	defer coll.Close() // the link keeps the program
	return link.AttachIter(link.IterOptions{Program: coll.Programs["ply_mappings"]})
}

// mappingsProgram writes a mapping where its file has no name.
func mappingsProgram(k *kernel.Kernel) (asm.Instructions, error) {
	at := map[string]int16{}
	for _, field := range [][2]string{
		{"vm_area_struct", "vm_start"}, {"vm_area_struct", "vm_file"}, {"file", "f_inode"}, {"inode", "i_nlink"},
		{"inode", "i_ino"}, {"inode", "i_sb"}, {"super_block", "s_dev"}, {"task_struct", "tgid"},
	} {
		offset, err := k.FieldOffset(field[0], field[1])
		if err != nil {
			return nil, err
		}
		at[field[1]] = int16(offset)
	}
	const meta, task, area = 0, 8, 16 // in the context
	return append(asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R8, asm.R6, area, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "end"),
		asm.LoadMem(asm.R9, asm.R8, at["vm_file"], asm.DWord),
		asm.JEq.Imm(asm.R9, 0, "end"),
		asm.LoadMem(asm.R9, asm.R9, at["f_inode"], asm.DWord),
		asm.JEq.Imm(asm.R9, 0, "end"),
		asm.LoadMem(asm.R1, asm.R9, at["i_nlink"], asm.Word),
		asm.JNE.Imm(asm.R1, 0, "end"),

		asm.LoadMem(asm.R1, asm.R8, at["vm_start"], asm.DWord),
		asm.StoreMem(asm.R10, -24, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R9, at["i_ino"], asm.DWord),
		asm.StoreMem(asm.R10, -16, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R9, at["i_sb"], asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "end"),
		asm.LoadMem(asm.R1, asm.R1, at["s_dev"], asm.Word),
		asm.StoreMem(asm.R10, -8, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, task, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "end"),
		asm.LoadMem(asm.R1, asm.R1, at["tgid"], asm.Word),
		asm.StoreMem(asm.R10, -4, asm.R1, asm.Word),

		asm.LoadMem(asm.R7, asm.R6, meta, asm.DWord),
		asm.LoadMem(asm.R7, asm.R7, 0, asm.DWord), // the file that is written
	}, append(seqWrite(asm.R10, 24, -24),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("end"),
		asm.Return(),
	)...), nil
}
