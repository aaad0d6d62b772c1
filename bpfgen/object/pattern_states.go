package object

import "slices"

// places are those that a path may have come to, sorted: a state.
type places []int

// A determiner makes the states of a pattern.
type determiner struct {
	*nfa
	alike   [256]byte // the first byte that no place tells from this one
	states  []places
	numbers map[string]uint16
}

// determine makes the states of p, and says whether they are not too many.
func (n *nfa) determine(p *Pattern) bool {
	d := &determiner{nfa: n, alike: n.alike(), numbers: map[string]uint16{}}
	d.number(nil)                // DeadState
	d.number(n.reach(places{0})) // StartState
	for i := 0; i < len(d.states); i++ {
		if len(d.states) > maxStates {
			return false
		}
		p.Next = append(p.Next, d.row(d.states[i]))
		p.Accepts = append(p.Accepts, n.accepts(d.states[i]))
	}
	for len(p.Next)&(len(p.Next)-1) != 0 {
		p.Next, p.Accepts = append(p.Next, [256]uint16{}), append(p.Accepts, false)
	}
	return true
}

// number is that of a state, which is made if it is new.
func (d *determiner) number(s places) uint16 {
	var key []byte
	for _, at := range s {
		key = append(key, byte(at), byte(at>>8))
	}
	number, known := d.numbers[string(key)]
	if !known {
		number = uint16(len(d.states))
		d.numbers[string(key)], d.states = number, append(d.states, s)
	}
	return number
}

// row has the states that follow one.
func (d *determiner) row(s places) (next [256]uint16) {
	for c := range 256 {
		if first := d.alike[c]; int(first) != c {
			next[c] = next[first]
			continue
		}
		next[c] = d.number(d.after(s, byte(c)))
	}
	return next
}

// alike finds the bytes that no step tells apart.
func (n *nfa) alike() (first [256]byte) {
	known := map[string]byte{}
	for c := range 256 {
		var in []byte
		for _, at := range n.places {
			for i := range at.steps {
				in = append(in, map[bool]byte{true: 1}[at.steps[i].set[c]])
			}
		}
		if _, ok := known[string(in)]; !ok {
			known[string(in)] = byte(c)
		}
		first[c] = known[string(in)]
	}
	return first
}

// after are the places one byte further.
func (n *nfa) after(s places, c byte) places {
	var next places
	for _, at := range s {
		for i := range n.places[at].steps {
			if step := &n.places[at].steps[i]; step.set[c] {
				next = append(next, step.to)
			}
		}
	}
	return n.reach(next)
}

// reach adds the places that are reached without a byte.
func (n *nfa) reach(s places) places {
	for i := 0; i < len(s); i++ {
		if free := n.places[s[i]].free; free != 0 {
			s = append(s, free)
		}
	}
	slices.Sort(s)
	return slices.Compact(s)
}

func (n *nfa) accepts(s places) bool {
	return slices.ContainsFunc(s, func(at int) bool { return n.places[at].accepts })
}
