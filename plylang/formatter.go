package plylang

import "strings"

const (
	formatIndent = "    "
	formatWidth  = 100 // of a probe on one line
)

// Format returns a script as the fmt command writes it:
//
//   - Everything is in today's spelling ("@m = count();" for "@m.count()",
//     "arg2" for "arg(2)", "delete m[k];" for "m[k] = nil;"), with sigils and
//     the spelling of numbers kept, and only the parentheses that are needed.
//   - Every statement is on a line of its own, indented by four spaces for
//     each block. Branches have braces.
//   - A probe with one simple statement that stood on one line stays there,
//     up to 100 columns.
//   - One empty line separates probes, and statements where the source had
//     any.
//   - All comments are kept. One on a line of its own stays on its own line;
//     one after code goes to the end of the line of that code; one inside a
//     statement goes after the statement.
//
// Formatting what Format returned changes nothing. A script that does not
// parse is an error, the one of Parse.
func Format(src *Source) (string, error) {
	script, err := Parse(src)
	if err != nil {
		return "", err
	}
	f := &formatter{source: src.Text, comments: script.Comments}
	for _, probe := range script.Probes {
		f.probe(probe)
		f.gap = true
	}
	f.flush(Pos(len(src.Text)) + 1)
	return f.out.String() + "\n", nil
}

// A formatter writes a tree line by line. Before each line it writes the
// comments that come before it in the source.
type formatter struct {
	source   string
	comments []Comment       // those not written yet
	out      strings.Builder // without its last line break
	depth    int
	gap      bool // an empty line comes next
	opened   bool // the last line begins a block, where no empty line goes
	full     bool // the last line ends with a comment that nothing can follow
}

func (f *formatter) probe(n *Probe) {
	var head printer
	head.head(n)
	switch {
	case n.Default:
		f.line(n.Pos, head.String())
	case f.onOneLine(n, head.String()):
		f.line(n.Pos, head.String()+" "+n.Body.String())
	default:
		f.open(n.Pos, head.String()+" ")
		f.body(n.Body)
		f.add("}")
	}
}

// onOneLine says whether a probe is short enough for one line and was there.
func (f *formatter) onOneLine(n *Probe, head string) bool {
	b := n.Body
	if f.commented(n.Pos, b.End) {
		return false
	}
	if len(b.Stmts) == 0 {
		return true
	}
	return len(b.Stmts) == 1 && isSimple(b.Stmts[0]) &&
		!strings.Contains(f.source[b.Pos:b.End], "\n") &&
		len(head)+1+len(b.String()) <= formatWidth
}

// commented says whether there is a comment between two positions.
func (f *formatter) commented(from, to Pos) bool {
	for _, c := range f.comments {
		if c.Pos >= from {
			return c.Pos < to
		}
	}
	return false
}

func (f *formatter) stmt(s Stmt) {
	switch s := s.(type) {
	case *Block:
		f.open(s.Pos, "")
		f.body(s)
		f.add("}")
	case *If:
		f.ifStmt(s)
	case *Unroll:
		var head printer
		head.unrollHead(s)
		f.open(s.Pos, head.String())
		f.body(s.Body)
		f.add("}")
	default:
		f.line(start(s), s.String()+";")
	}
}

func (f *formatter) ifStmt(s *If) {
	f.open(s.Pos, ifHead(s))
	f.body(s.Then)
	for s.Else != nil {
		next, ok := s.Else.(*If)
		if !ok {
			f.reopen("} else {")
			f.body(s.Else.(*Block))
			break
		}
		f.reopen("} else " + ifHead(next) + "{")
		f.body(next.Then)
		s = next
	}
	f.add("}")
}

func ifHead(s *If) string {
	var head printer
	head.ifHead(s)
	return head.String()
}

// start returns where a simple statement begins; that of an assignment is not
// its Pos.
func start(s Stmt) Pos {
	switch s := s.(type) {
	case *Assign:
		return min(s.Pos, s.LHS.Position())
	case *Delete:
		return min(s.Pos, s.Map.Pos)
	}
	return s.Position()
}

// open writes the line that begins a block.
func (f *formatter) open(pos Pos, head string) {
	f.line(pos, head+"{")
	f.opened = true
}

// body writes what is in a block.
func (f *formatter) body(b *Block) {
	f.depth++
	for _, s := range b.Stmts {
		f.stmt(s)
	}
	f.flush(f.end(b))
	f.depth--
}

// end returns where a block ends; a comment after a branch without braces is
// in the braces that it gets.
func (f *formatter) end(b *Block) Pos {
	rest := strings.TrimLeft(f.source[b.End:], "; \t")
	if strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, "//") {
		return Pos(len(f.source)-len(rest)) + 1
	}
	return b.End
}

// reopen writes a line that ends one block and begins another.
func (f *formatter) reopen(s string) {
	f.add(s)
	f.opened = true
}

// line writes a line of code that begins at pos in the source.
func (f *formatter) line(pos Pos, s string) {
	f.flush(pos)
	f.space(pos)
	f.add(s)
}

func (f *formatter) add(s string) {
	if f.out.Len() > 0 {
		f.out.WriteByte('\n')
	}
	f.out.WriteString(strings.Repeat(formatIndent, f.depth) + s)
	f.opened, f.full = false, false
}

// space writes an empty line if one is due, or if the source has one before
// pos.
func (f *formatter) space(pos Pos) {
	before := f.source[:pos]
	blanks := before[len(strings.TrimRight(before, " \t\n\r\v\f")):]
	if (f.gap || strings.Count(blanks, "\n") > 1) && !f.opened && f.out.Len() > 0 {
		f.out.WriteByte('\n')
	}
	f.gap = false
}

// flush writes the comments before pos.
func (f *formatter) flush(pos Pos) {
	for len(f.comments) > 0 && f.comments[0].Pos < pos {
		f.comment(f.comments[0])
		f.comments = f.comments[1:]
	}
}

func (f *formatter) comment(c Comment) {
	if f.afterCode(c) && f.out.Len() > 0 && !f.full {
		f.out.WriteString(" " + c.Text)
	} else {
		f.space(c.Pos)
		f.add(c.Text)
	}
	f.full = !strings.HasPrefix(c.Text, "/*")
}

// afterCode says whether there is code before a comment on its line.
func (f *formatter) afterCode(c Comment) bool {
	before := strings.TrimRight(f.source[:c.Pos], " \t\r\v\f")
	return before != "" && !strings.HasSuffix(before, "\n")
}
