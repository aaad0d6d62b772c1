package bpfgen

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/emit"
	"ply-exporter/bpfgen/object"
	"ply-exporter/bpfgen/probe"
	"ply-exporter/plylang"
)

// Where values live
//
// A map without a key is an array of one value that the reader maps into its
// memory. By key, what adds up has a value for each CPU while all of them together
// are little memory, so that CPUs do not wait for each other; otherwise they share
// one value, to which they add atomically: memory must not grow with the CPUs of a
// machine. An extreme cannot be shared, because its update could have to be tried
// again without end. Tables forget their oldest keys when they are full. All
// hashes are allocated in advance: insertions into the others can be refused for
// no reason that a user could see.

const (
	defaultEntries          = 10240
	defaultHistogramEntries = 1024

	// perCPULimit is how many bytes the values of all CPUs may take that could be
	// one. Two CPUs' values of the largest default histogram are below it.
	perCPULimit = 1152 << 10

	// lruSpare is how many entries of an LRU map a CPU can keep to itself: 128 free
	// ones (LOCAL_FREE_TARGET), and one for each update under way. The kernel takes
	// used entries when fewer than 128 are free for all.
	lruSpare = 136

	// maxElementSize is how large a value can be together with its key, or with a
	// cell's mark: a program reaches a word by an offset of 15 bits, an iterator
	// writes less than 32 KiB at a time, and a per-CPU map holds no larger value.
	maxElementSize = 32<<10 - 8

	// maxKeySize bounds the size of a key; before Linux 5.11 it was the stack's.
	maxKeySize    = 4096
	maxOldKeySize = emit.StackSize
)

// Names of maps that only programs use.
const (
	zeroMap    = "ply_zero"
	scratchMap = "ply_scratch"
	inUseMap   = "ply_inuse"
)

// layoutMap decides how a map of the script lives in the kernel.
func (c *compiler) layoutMap(id int, pm *plylang.Map) *object.Map {
	m := &object.Map{Map: pm, ID: id, SpecName: specName(pm.Name, id), Values: ValuesOf(pm.Agg), ClearID: c.cleared[pm]}
	c.layoutKey(m)
	opt := c.opt.Maps[pm.Name]
	m.MaxEntries = c.entries(m, opt)
	if pm.Agg == nil {
		m.Size = emit.Padded(pm.Value.Size)
		if pm.Value.Unit == plylang.Timestamp {
			m.Reduce = object.ReduceMax // the sum of two times is none
		}
	} else {
		c.layoutAggregation(m, opt)
	}
	m.Storage = c.storage(m, opt)
	if m.Storage == object.InTasks {
		m.SpecName, m.Word, c.taskWords = valuesMap, c.taskWords, c.taskWords+1
	}
	m.Room = m.MaxEntries
	slots := c.slotsOf(m)
	if m.Expiry = c.expiry(m, opt, slots != nil); m.Expiry != nil { // a slot cannot be emptied
		m.Storage, slots = c.storage(m, opt), nil
	}
	if slots != nil {
		m.Storage, m.Slots, m.MaxEntries, m.Room = object.Array, slots, slots.Keys(), slots.Keys()
	}
	if m.Storage == object.LRUHash {
		m.Room += lruSpare * c.cpus
	}
	c.addOverflow(m, opt)
	if n := max(m.KeySize, mark) + m.StoredSize(); n > maxElementSize {
		c.errs.Add(c.script.Src, pm.Pos, "%s needs %d bytes for a key and its value, the limit is %d: use fewer buckets or shorter strings", pm.Name, n, maxElementSize)
	}
	return m
}

func (c *compiler) layoutAggregation(m *object.Map, opt MapOptions) {
	row := rowOf(m.Agg).agg
	m.Size = 8 * row.words
	if row.buckets == nil {
		return
	}
	h, err := Buckets(m.Map)
	if err != nil {
		c.errs.Add(c.script.Src, m.Pos, "%v", err)
		return
	}
	if opt.Buckets != nil {
		h = opt.Buckets
	}
	m.Buckets = h
	m.Size += 8 * h.Len()
}

// entries is the number of keys the user gets.
func (c *compiler) entries(m *object.Map, opt MapOptions) int {
	switch {
	case len(m.Keys) == 0:
		return 1
	case opt.MaxEntries > 0:
		return opt.MaxEntries
	case c.opt.MaxEntries > 0:
		return c.opt.MaxEntries
	case m.Shape == object.ShapeHistogram:
		return defaultHistogramEntries
	}
	return defaultEntries
}

func (c *compiler) storage(m *object.Map, opt MapOptions) object.Storage {
	switch {
	case len(m.Keys) == 0:
		return object.Cell
	case opt.Programs && c.isOfTasks(m):
		return object.InTasks
	case m.Shape == object.ShapeRaw || opt.Evict:
		return object.LRUHash
	case !perCPUOnly(m) && m.MaxEntries*m.ValueMemory(c.cpus) > perCPULimit:
		return object.SharedHash
	}
	return object.PerCPUHash
}

// perCPUOnly says whether CPUs cannot share a value of m.
func perCPUOnly(m *object.Map) bool { return m.Agg != nil && rowOf(m.Agg).agg.exchanges }

// specName is a name the kernel takes: at most 15 letters, digits and
// underscores, different for each map.
func specName(name string, id int) string {
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, name)
	suffix := fmt.Sprintf("_%d", id)
	return clean[:min(len(clean), 15-len(suffix))] + suffix
}

// mapSpec is the kernel's map for a map of the script.
func (c *compiler) mapSpec(m *object.Map) *ebpf.MapSpec {
	switch m.Storage {
	case object.Cell:
		return cellSpec(m.SpecName, m.CellSize())
	case object.Array:
		return cellSpec(m.SpecName, m.SlotsSize())
	}
	return &ebpf.MapSpec{
		Name:       m.SpecName,
		Type:       m.Storage.MapType(),
		KeySize:    uint32(m.KeySize),
		ValueSize:  uint32(m.StoredSize()),
		MaxEntries: uint32(m.Room),
	}
}

// cellSpec is an array of one value that can be mapped into memory.
func cellSpec(name string, size int) *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(size), MaxEntries: 1, Flags: object.Mmapable}
}

const ringSize = 1 << 20

// ownMaps adds the maps that the generated programs refer to.
func (c *compiler) ownMaps() {
	specs := c.obj.Spec.Maps
	specs[object.StateMap] = cellSpec(object.StateMap, 8*c.stateWords())
	c.beginMaps()
	if c.taskWords > 0 {
		specs[valuesMap] = c.taskSpec()
	}
	if c.nothing {
		specs[nothingMap] = nothingSpec()
	}
	if len(c.cleared) > 0 {
		specs[object.ClearMap] = c.clearSpec()
	}
	if c.overflow > 0 {
		specs[object.OverflowMap] = cellSpec(object.OverflowMap, c.overflow)
	}
	if c.expiring > 0 {
		specs[object.ExpireMap] = c.expireSpec()
	}
	if len(c.obj.Events) > 0 {
		specs[object.RingMap] = &ebpf.MapSpec{Name: object.RingMap, Type: ebpf.RingBuf, MaxEntries: ringSize}
	}
	if c.zeros > 0 {
		specs[zeroMap] = &ebpf.MapSpec{Name: zeroMap, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(c.zeros), MaxEntries: 1}
	}
	if data := c.constants.Bytes(); len(data) > 0 {
		specs[emit.ConstantMap] = &ebpf.MapSpec{Name: emit.ConstantMap, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(len(data)), MaxEntries: 1,
			Flags: unix.BPF_F_RDONLY_PROG, Contents: []ebpf.MapKV{{Key: uint32(0), Value: data}}}
	}
	if c.clock {
		specs[object.ClockMap] = cellSpec(object.ClockMap, 8)
	}
}

// scratchOf names the scratch memory of the i-th program.
func (c *compiler) scratchOf(i int, p *probe.Program) emit.Scratch {
	s := emit.Scratch{Values: fmt.Sprintf("%s%d", scratchMap, i)}
	if p.Reenters(c.kernel) {
		s.InUse = fmt.Sprintf("%s%d", inUseMap, i)
	}
	s.Taken = c.reentered(p)
	return s
}

// reentered says whether a task that runs a program can be preempted, and another one
// then run it on the same CPU: from Linux 6.0 on nothing keeps programs at functions of
// programs from that.
func (c *compiler) reentered(p *probe.Program) bool {
	_, isUser := p.Points[0].Site.(object.UserFunction)
	return isUser && c.kernel.AtLeast(6, 0)
}

// scratchMaps makes the maps of a program's scratch memory of that size.
func (c *compiler) scratchMaps(s emit.Scratch, size int) {
	values := &ebpf.MapSpec{Name: s.Values, Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: uint32(size), MaxEntries: 1}
	c.obj.Spec.Maps[s.Values] = values
	if s.Taken {
		values.MaxEntries = emit.Takers
	}
	if s.InUse != "" {
		values.MaxEntries = emit.Contexts
		c.obj.Spec.Maps[s.InUse] = &ebpf.MapSpec{Name: s.InUse, Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1}
	}
}
