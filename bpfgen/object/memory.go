package object

// What the kernel takes for a map besides keys and values: as
// htab_map_mem_usage and array_map_mem_usage in Linux 6.4 and later add it up.
const (
	hashHead     = 960 // struct bpf_htab, about
	bucketHead   = 16  // struct bucket; a power of two of them, at least one for each key
	elementHead  = 48  // struct htab_elem
	perCPUHandle = 8   // in an element, where the values are
	pageSize     = 4096
)

// Memory is the kernel memory of the map in bytes, before it is made; cpus is
// how many the kernel may ever have.
func (m *Map) Memory(cpus int) int {
	if m.Storage == Cell {
		return pageSize + (m.CellSize()+pageSize-1)/pageSize*pageSize
	}
	element := elementHead + m.KeySize + m.Size
	if m.Storage == PerCPUHash {
		element = elementHead + m.KeySize + perCPUHandle + m.ValueMemory(cpus)
	}
	return hashHead + bucketHead*powerAtLeast(m.Room) + m.Room*element
}

// ValueMemory is what the values of one key take, a value for each of cpus.
func (m *Map) ValueMemory(cpus int) int { return m.Size * cpus }

func powerAtLeast(n int) int {
	power := 1
	for power < n {
		power *= 2
	}
	return power
}
