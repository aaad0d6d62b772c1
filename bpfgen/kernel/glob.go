package kernel

import (
	"fmt"
	"slices"
	"strings"
)

// A Glob is a pattern for names:
//
//   - any bytes, also none
//     ?        any byte
//     [a-z]    a byte of a class; [!a-z] a byte outside it
//     @(a|b)   one of the patterns
//     ?(a|b)   one of them or nothing
//     *(a|b)   any number of them; +(a|b) at least one
//     !(a|b)   anything but these
//
// What is not a complete construct, such as a lone "[", stands for itself.
type Glob struct {
	prefix string // literal bytes every match begins with
	rest   []globNode
}

// A globNode is one step of a pattern.
type globNode struct {
	op   globOp
	text string // globText
	set  *[256]bool
	alts [][]globNode
}

type globOp byte

const (
	globText globOp = iota
	globAny
	globStar
	globSet
	globOne  // @
	globOpt  // ?
	globMany // *
	globSome // +
	globNot  // !
)

var extended = map[byte]globOp{'@': globOne, '?': globOpt, '*': globMany, '+': globSome, '!': globNot}

// IsGlob says whether a pattern can match anything but itself.
func IsGlob(pattern string) bool { return len(Compile(pattern).rest) > 0 }

// What a pattern may have, so that all functions of a kernel are compared with
// it in a time that people wait.
const (
	maxPieces = 200 // wildcards, classes, groups and their alternatives
	maxGroups = 8   // in each other
)

// CheckGlob finds fault with a pattern that would take too long to match.
func CheckGlob(pattern string) error {
	pieces, groups := measure(parseGlob(pattern))
	switch {
	case groups > maxGroups:
		return fmt.Errorf("glob has groups in groups, more than %d deep: write it as a list with commas", maxGroups)
	case pieces > maxPieces:
		return fmt.Errorf("glob has more than %d wildcards and alternatives: write it as a list with commas", maxPieces)
	}
	return nil
}

// measure counts the pieces of a pattern, and how deep its groups are nested.
func measure(nodes []globNode) (pieces, groups int) {
	for _, n := range nodes {
		if n.op != globText {
			pieces++
		}
		for _, alt := range n.alts {
			inner, depth := measure(alt)
			pieces, groups = pieces+1+inner, max(groups, depth+1)
		}
	}
	return pieces, groups
}

// Compile prepares a pattern for many names.
func Compile(pattern string) *Glob {
	nodes := parseGlob(pattern)
	if len(nodes) > 0 && nodes[0].op == globText {
		return &Glob{prefix: nodes[0].text, rest: nodes[1:]}
	}
	return &Glob{rest: nodes}
}

// Match says whether a name matches the pattern as a whole.
func (g *Glob) Match(name string) bool {
	rest, ok := strings.CutPrefix(name, g.prefix)
	return ok && matchNodes(g.rest, rest)
}

// parseGlob cuts a pattern into nodes. Neighboring text is one node.
func parseGlob(pattern string) []globNode {
	var nodes []globNode
	text := 0 // where the text before place i begins
	for i := 0; i < len(pattern); {
		node, size := parseNode(pattern[i:])
		if node.op != globText {
			nodes = append(appendText(nodes, pattern[text:i]), node)
			text = i + size
		}
		i += size
	}
	return appendText(nodes, pattern[text:])
}

func appendText(nodes []globNode, text string) []globNode {
	if text == "" {
		return nodes
	}
	return append(nodes, globNode{op: globText, text: text})
}

// parseNode reads the node a pattern begins with, and tells its length.
func parseNode(pattern string) (globNode, int) {
	if op, ok := extended[pattern[0]]; ok && len(pattern) > 1 && pattern[1] == '(' {
		if alts, size, ok := parseAlternatives(pattern[2:]); ok {
			return globNode{op: op, alts: alts}, size + 2
		}
	}
	switch pattern[0] {
	case '*':
		return globNode{op: globStar}, 1
	case '?':
		return globNode{op: globAny}, 1
	case '[':
		if set, size, ok := parseClass(pattern); ok {
			return globNode{op: globSet, set: set}, size
		}
	}
	return globNode{op: globText}, 1
}

// parseAlternatives reads "a|b)", where a and b may hold groups again.
func parseAlternatives(pattern string) (alts [][]globNode, size int, ok bool) {
	depth, start := 0, 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')':
			return append(alts, parseGlob(pattern[start:i])), i + 1, true
		case c == '|' && depth == 0:
			alts = append(alts, parseGlob(pattern[start:i]))
			start = i + 1
		}
	}
	return nil, 0, false
}

// parseClass reads "[a-z_]" or "[!0-9]". A "]" right at the start is a member.
func parseClass(pattern string) (set *[256]bool, size int, ok bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	set = new([256]bool)
	for first := i; i < len(pattern); i++ {
		c := pattern[i]
		if c == ']' && i > first {
			if negate {
				for b := range set {
					set[b] = !set[b]
				}
			}
			return set, i + 1, true
		}
		last := c
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			last, i = pattern[i+2], i+2
		}
		for b := int(c); b <= int(last); b++ {
			set[b] = true
		}
	}
	return nil, 0, false
}

// matchNodes says whether nodes match all of a name. Most patterns have no more than
// text and a star or a group behind it, which matches all of what is left or does not.
// Of others the matcher keeps the set of places in the name that the nodes so far can
// reach, and what a group reaches from a place is found out once: no pattern
// takes time that grows faster than polynomially.
func matchNodes(nodes []globNode, name string) bool {
	for len(nodes) > 0 && nodes[0].op == globText {
		rest, ok := strings.CutPrefix(name, nodes[0].text)
		if !ok {
			return false
		}
		nodes, name = nodes[1:], rest
	}
	if len(nodes) == 0 {
		return name == ""
	}
	if len(nodes) == 1 {
		if match, known := nodes[0].matchAll(name); known {
			return match
		}
	}
	m := matcher{name: name}
	return m.reach(nodes, m.only(0))[len(name)]
}

// matchAll says whether a node matches all of a name, if that can be told without
// looking where parts of it end.
func (n *globNode) matchAll(name string) (match, known bool) {
	anyAlt := func() bool {
		return slices.ContainsFunc(n.alts, func(alt []globNode) bool { return matchNodes(alt, name) })
	}
	switch n.op {
	case globStar:
		return true, true
	case globOne:
		return anyAlt(), true
	case globOpt:
		return name == "" || anyAlt(), true
	case globNot:
		return !anyAlt(), true
	}
	return false, false
}

// A matcher matches one name.
type matcher struct {
	name string
	memo map[groupAt][]bool // where a group can end
}

type groupAt struct {
	group *globNode
	place int
}

// only is the set of one place.
func (m *matcher) only(place int) []bool {
	at := make([]bool, len(m.name)+1)
	at[place] = true
	return at
}

// reach returns the places where the nodes can end that begin at one of the
// given places.
func (m *matcher) reach(nodes []globNode, at []bool) []bool {
	for i := range nodes {
		if !slices.Contains(at, true) {
			return at
		}
		switch n := &nodes[i]; n.op {
		case globText, globAny, globSet:
			at = n.advance(m.name, at)
		case globStar:
			at = spread(at)
		default:
			at = m.group(n, at)
		}
	}
	return at
}

// group returns where a group can end that begins at one of the places.
func (m *matcher) group(n *globNode, at []bool) []bool {
	next := make([]bool, len(at))
	for place, here := range at {
		if here {
			next = union(next, m.groupFrom(n, place))
		}
	}
	return next
}

func (m *matcher) groupFrom(n *globNode, place int) []bool {
	key := groupAt{n, place}
	if ends, ok := m.memo[key]; ok {
		return ends
	}
	if m.memo == nil {
		m.memo = map[groupAt][]bool{}
	}
	m.memo[key] = m.ends(n, place)
	return m.memo[key]
}

func (m *matcher) ends(n *globNode, place int) []bool {
	start := m.only(place)
	switch n.op {
	case globOne:
		return m.anyOf(n, start)
	case globOpt:
		return union(start, m.anyOf(n, start))
	case globSome:
		return m.repeat(n, m.anyOf(n, start))
	case globMany:
		return m.repeat(n, start)
	case globNot:
		ends := m.anyOf(n, start)
		for i := range ends {
			ends[i] = i >= place && !ends[i]
		}
		return ends
	default:
		panic("kernel: unknown glob operation")
	}
}

func (m *matcher) anyOf(n *globNode, at []bool) []bool {
	next := make([]bool, len(at))
	for _, alt := range n.alts {
		next = union(next, m.reach(alt, at))
	}
	return next
}

// repeat applies the alternatives until they reach nothing new.
func (m *matcher) repeat(n *globNode, at []bool) []bool {
	for {
		next := union(at, m.anyOf(n, at))
		if slices.Equal(next, at) {
			return at
		}
		at = next
	}
}

// advance moves over text or a single byte.
func (n *globNode) advance(name string, at []bool) []bool {
	next := make([]bool, len(at))
	for i, here := range at {
		switch {
		case !here:
		case n.op == globText:
			if strings.HasPrefix(name[i:], n.text) {
				next[i+len(n.text)] = true
			}
		case i < len(name) && (n.op == globAny || n.set[name[i]]):
			next[i+1] = true
		}
	}
	return next
}

// spread is every place from the first one on.
func spread(at []bool) []bool {
	next := make([]bool, len(at))
	seen := false
	for i, here := range at {
		seen = seen || here
		next[i] = seen
	}
	return next
}

func union(a, b []bool) []bool {
	out := make([]bool, len(a))
	for i := range a {
		out[i] = a[i] || b[i]
	}
	return out
}

// matchBytes is Match for a name that is not a string yet; most names fail at
// the prefix and never become one.
func (g *Glob) matchBytes(name []byte) bool {
	if len(name) < len(g.prefix) || string(name[:len(g.prefix)]) != g.prefix {
		return false
	}
	return g.Match(string(name))
}
