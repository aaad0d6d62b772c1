package plylang

// maxErrors is how many diagnostics of a kind are reported: a binary file has
// more, and nobody reads them.
const maxErrors = 100

// diagnostics are the first hundred of what is wrong with a script, or doubtful
// about it, each once.
type diagnostics struct {
	list ErrorList
	seen map[Error]bool
	more bool // than are in list
}

// add keeps a diagnostic, unless there are enough.
func (d *diagnostics) add(e *Error) {
	if d.seen == nil {
		d.seen = map[Error]bool{}
	}
	switch {
	case d.seen[*e]:
	case d.full():
		d.more = true
	default:
		d.seen[*e] = true
		d.list = append(d.list, e)
	}
}

// full says whether there are as many as are shown.
func (d *diagnostics) full() bool { return len(d.list) >= maxErrors }

// truncate forgets all but the first n.
func (d *diagnostics) truncate(n int) {
	for _, e := range d.list[n:] {
		delete(d.seen, *e)
	}
	d.list = d.list[:n]
	d.more = d.more && d.full()
}

// sorted returns what was found by position, and says if that is not all. What
// names the diagnostics.
func (d *diagnostics) sorted(src *Source, what string) ErrorList {
	d.list.Sort()
	d.list = d.list.joinMissingMembers()
	if d.more {
		d.list.Add(src, Pos(len(src.Text)), "more than %d %s: the others are not shown", maxErrors, what)
	}
	return d.list
}
