package object

import (
	"errors"
	"fmt"
	"strings"
)

// Patterns of control groups
//
// A pattern matches paths part by part, as shells match file names:
//
//	*        any bytes of a part, also none
//	?        one byte of a part
//	[a-z]    a byte of a class; [!a-z] one outside of it
//	**       as a whole part: any number of parts, also none
//
// What is below a group that matches matches too: whoever asks for a container
// means what is in it. A backslash stands for itself, because systemd writes them
// into names.
//
// A pattern is compiled to a table of states, by which user space and a program in
// the kernel decide alike, one step for each byte of a path.

// A Pattern is a compiled one.
type Pattern struct {
	Text string

	// Next has the number of the next state for each state and byte. It has a power
	// of two of states.
	Next [][256]uint16

	// Accepts says in which states a path that ends there matches.
	Accepts []bool
}

// The first states of every pattern.
const (
	DeadState  = 0 // nothing can match any more
	StartState = 1
)

// maxStates bounds the memory of a pattern: 512 bytes a state.
const maxStates = 1 << 10

// CompilePattern reads a pattern.
func CompilePattern(text string) (*Pattern, error) {
	n := &nfa{}
	if err := n.pattern(text); err != nil {
		return nil, err
	}
	p := &Pattern{Text: text}
	if len(n.places) > maxStates || !n.determine(p) {
		return nil, errors.New("the pattern is too long, or has too many wildcards")
	}
	return p, nil
}

// Match says whether a path matches.
func (p *Pattern) Match(path string) bool {
	state := uint16(StartState)
	for i := range len(path) {
		state = p.Next[state][path[i]]
	}
	return p.Accepts[state]
}

// An nfa is what a pattern is first read into: in each place several steps may be
// possible.
type nfa struct{ places []place }

// A place is one between two bytes of the pattern.
type place struct {
	steps   []step
	free    int // place that is reached without a byte; 0: none, as nothing leads back to the first
	accepts bool
}

type step struct {
	set [256]bool
	to  int
}

func (n *nfa) here() int { return len(n.places) - 1 }

// add makes a new place, which is reached from the last by a byte of a set.
func (n *nfa) add(set [256]bool) {
	from := n.here()
	n.places = append(n.places, place{})
	n.step(from, set, n.here())
}

func (n *nfa) step(from int, set [256]bool, to int) {
	n.places[from].steps = append(n.places[from].steps, step{set, to})
}

// skip makes a new place, which is reached from the last without a byte.
func (n *nfa) skip() {
	n.places = append(n.places, place{})
	n.places[n.here()-1].free = n.here()
}

func (n *nfa) pattern(text string) error {
	parts := strings.Split(text, "/")
	switch {
	case text == "":
		return errors.New(`the pattern is empty: the root is "/"`)
	case parts[0] != "":
		return errors.New(`the path of a cgroup begins with "/": write "/` + text + `", or "/**/` + text + `" for any depth`)
	case strings.ContainsRune(text, 0):
		return errors.New("a path has no NUL")
	}
	n.places = []place{{}}
	if text == "/" {
		n.add(only('/'))
		n.end(n.here())
		return nil
	}
	n.add(only('/'))
	for i, part := range parts[1:] {
		if err := n.part(part, i == len(parts)-2); err != nil {
			return err
		}
	}
	return nil
}

// part reads a part, and the slash behind it unless it is the last.
func (n *nfa) part(part string, last bool) error {
	switch {
	case part == "":
		return errors.New("the pattern has an empty part: write one slash between two parts, and none at the end")
	case part == "." || part == "..":
		return fmt.Errorf("no cgroup has the name %q", part)
	case part == "**" && !last:
		n.anyParts()
		return nil
	case strings.Contains(part, "**") && part != "**":
		return errors.New(`"**" stands for whole parts: write "*" for a piece of one`)
	}
	if err := n.name(part); err != nil {
		return err
	}
	if last {
		n.end(n.here())
		return nil
	}
	n.add(only('/'))
	return nil
}

// anyParts reads "**/": parts with the slash behind each, any number of them.
func (n *nfa) anyParts() {
	before := n.here()
	n.add(notSlash())
	inside := n.here()
	n.step(inside, notSlash(), inside)
	n.step(inside, only('/'), before)
	n.places = append(n.places, place{})
	n.places[before].free = n.here()
}

// name reads a part without "**/". A name is not empty.
func (n *nfa) name(part string) error {
	if strings.Trim(part, "*") == "" {
		n.add(notSlash())
	}
	for part != "" {
		set, size := piece(part)
		switch {
		case size == 0:
			return errors.New(`"[" has no "]": write "[[]" for the character`)
		case part[0] == '*':
			n.skip()
			n.step(n.here(), notSlash(), n.here())
			n.skip()
		default:
			n.add(set)
		}
		part = part[size:]
	}
	return nil
}

// end says that a path may end at a place, or go on with a slash.
func (n *nfa) end(at int) {
	n.places[at].accepts = true
	if n.places[at].steps == nil && at == 1 { // the root, whose path ends in a slash
		n.step(at, notSlash(), at)
		n.step(at, only('/'), at)
		return
	}
	n.add(only('/'))
	below := n.here()
	n.places[below].accepts = true
	n.step(below, notSlash(), below)
	n.step(below, only('/'), below)
}

// piece returns the set of the bytes that the beginning of a part stands for, and
// how many bytes of the pattern it takes; 0: it has no end.
func piece(part string) (set [256]bool, size int) {
	switch part[0] {
	case '?':
		return notSlash(), 1
	case '[':
		return class(part)
	}
	return only(part[0]), 1
}

// class reads [a-z]. A "]" that comes first is in the class.
func class(part string) (set [256]bool, size int) {
	i, negated := 1, false
	if i < len(part) && (part[i] == '!' || part[i] == '^') {
		i, negated = i+1, true
	}
	for first := true; i < len(part); first = false {
		if part[i] == ']' && !first {
			return finishClass(set, negated), i + 1
		}
		lo, hi := part[i], part[i]
		i++
		if i+1 < len(part) && part[i] == '-' && part[i+1] != ']' {
			hi = part[i+1]
			i += 2
		}
		for c := int(lo); c <= int(hi); c++ {
			set[c] = true
		}
	}
	return set, 0
}

func finishClass(set [256]bool, negated bool) [256]bool {
	for c := range set {
		set[c] = set[c] != negated && c != '/' && c != 0
	}
	return set
}

func only(c byte) (set [256]bool) { set[c] = true; return set }

func notSlash() [256]bool { return finishClass([256]bool{}, true) }
