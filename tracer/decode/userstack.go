package decode

import (
	"fmt"

	"ply-exporter/bpfgen/object"
	"ply-exporter/tracer/userspace"
)

// ShowOnce says that each value is shown once, as run does, and not again in a minute: then
// names of functions are worth waiting for.
func (m *Machine) ShowOnce() { m.userspace.ShowOnce() }

// PrepareFor does what must be done before a script starts that these values are of:
// where it keeps stacks of processes or addresses in them, these are watched from then on,
// so that those have names that end before they are shown. An error says what has none then.
func (m *Machine) PrepareFor(obj *object.Object) error {
	if obj.Spec.Maps[object.UserStackMap] == nil && !obj.UserAddresses {
		return nil
	}
	cpus, err := running(m.kernel).OnlineCPUs()
	if err == nil {
		err = m.userspace.Watch(cpus)
	}
	if err != nil {
		return fmt.Errorf("no names for the code of processes that end before it is shown, where its file has no build ID: %w", err)
	}
	return nil
}

func (d *Decoder) userFrames(id int64) (out []string) {
	for i, f := range d.stacks.UserStack(id) {
		out = append(out, d.machine.userFrame(f, i > 0))
	}
	return out
}

// userFrame shows a call of a process. An address to return to may already be in the
// function behind the caller's, so the byte before it is what is looked for.
func (m *Machine) userFrame(f object.Frame, isReturn bool) string {
	back := uint64(0)
	if isReturn {
		back = 1
	}
	before := f
	if f.BuildID == (object.BuildID{}) {
		before.Address -= back
	} else {
		before.Offset -= back
	}
	p := m.userspace.Place(before)
	switch {
	case p != userspace.Place{}:
		return placeText(p, back)
	case f.BuildID != object.BuildID{}:
		return fmt.Sprintf("[build id %x]+0x%x", f.BuildID, f.Offset)
	}
	return fmt.Sprintf("[unknown]+0x%x", f.Address)
}

// placeText shows what is so many bytes behind a place that is known.
func placeText(p userspace.Place, behind uint64) string {
	switch in := p.In + behind; {
	case p.Function == "":
		return fmt.Sprintf("[%s]+0x%x", p.File, p.Offset+behind)
	case in == 0:
		return p.Function
	default:
		return fmt.Sprintf("%s+0x%x", p.Function, in)
	}
}

// userSymbol is an address of a process as name+0xoffset.
func (d *Decoder) userSymbol(v object.Value) string {
	if len(v.Raw) < object.UserAddressSize {
		return hexNumber(0)
	}
	f := object.UserAddress(v.Raw)
	if p := d.machine.userspace.Place(f); p != (userspace.Place{}) {
		return placeText(p, 0)
	}
	return hexNumber(f.Address)
}
