package object

import "github.com/cilium/ebpf"

// Kernel memory
//
// What the kernel takes for a map besides keys and values is as the functions of
// Linux 6.4 and later add it up that report it: htab_map_mem_usage and its kin.
const (
	hashHead     = 960 // struct bpf_htab, about
	arrayHead    = 320 // struct bpf_array, about
	ringHead     = 320 // struct bpf_ringbuf_map, about
	bucketHead   = 16  // struct bucket; a power of two of them, at least one for each key
	elementHead  = 48  // struct htab_elem
	taskHead     = 256 // struct bpf_local_storage_map, about
	taskBucket   = 16  // struct bpf_local_storage_map_bucket
	pointer      = 8
	ringMetaSize = 3 // pages of a ring buffer that hold no records, about
	pageSize     = 4096
)

// Mmapable is the flag BPF_F_MMAPABLE of a map.
const Mmapable = 1 << 10

// Memory is the kernel memory of all maps of the object in bytes, before they are
// made.
func (o *Object) Memory() (n int) {
	for _, spec := range o.Spec.Maps {
		n += specMemory(spec, o.CPUs)
	}
	return n
}

// Memory is the kernel memory of the map in bytes, before it is made; cpus is
// how many the kernel may ever have.
func (m *Map) Memory(cpus int) int {
	spec := &ebpf.MapSpec{Type: m.Storage.MapType(), KeySize: uint32(m.KeySize), ValueSize: uint32(m.StoredSize()), MaxEntries: uint32(m.Room)}
	if size := m.sharedSize(); size > 0 {
		spec.ValueSize, spec.MaxEntries, spec.Flags = uint32(size), 1, Mmapable
		return specMemory(spec, cpus)
	}
	if m.Expiry != nil {
		late := *spec
		late.Type, late.MaxEntries = m.LateStorage().MapType(), uint32(m.LateRoom())
		return specMemory(spec, cpus) + specMemory(&late, cpus)
	}
	return m.generations() * specMemory(spec, cpus)
}

// sharedSize is how many bytes of memory a map shares with user space.
func (m *Map) sharedSize() int {
	switch m.Storage {
	case Cell:
		return m.generations() * m.CellSize()
	case Array:
		return m.SlotsSize()
	}
	return 0
}

// ValueMemory is what the values of one key take, a value for each of cpus.
func (m *Map) ValueMemory(cpus int) int { return m.StoredSize() * cpus }

// specMemory is the kernel memory of a map of any type that programs use here.
func specMemory(s *ebpf.MapSpec, cpus int) int {
	key, value, entries := padded(int(s.KeySize), 8), padded(int(s.ValueSize), 8), int(s.MaxEntries)
	switch s.Type {
	case ebpf.Array:
		if s.Flags&Mmapable != 0 {
			return pageSize + padded(value*entries, pageSize)
		}
		return arrayHead + value*entries
	case ebpf.PerCPUArray:
		return arrayHead + entries*(pointer+value*cpus)
	case ebpf.PerCPUHash:
		return hashHead + bucketHead*powerAtLeast(entries) + entries*(elementHead+key+pointer+value*cpus)
	case ebpf.LRUHash:
		return hashHead + bucketHead*powerAtLeast(entries) + entries*(elementHead+key+value)
	case ebpf.Hash: // every CPU has an element to spare
		return hashHead + bucketHead*powerAtLeast(entries) + (entries+cpus)*(elementHead+key+value) + pointer*cpus
	case ebpf.TaskStorage: // without the values, which come and go with tasks
		return taskHead + taskBucket*powerAtLeast(max(2, cpus))
	case ebpf.RingBuf: // the pages of records are there once, and listed twice
		return ringHead + ringMetaSize*(pageSize+pointer) + entries + 2*pointer*entries/pageSize
	case ebpf.ArrayOfMaps:
		return arrayHead + pointer*entries
	}
	panic("object: no memory of a map of type " + s.Type.String())
}

// padded rounds n up to a multiple of unit.
func padded(n, unit int) int { return (n + unit - 1) / unit * unit }

func powerAtLeast(n int) int {
	power := 1
	for power < n {
		power *= 2
	}
	return power
}
