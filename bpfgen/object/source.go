package object

import (
	"fmt"

	"ply-exporter/plylang"
)

// A Source says which part of the script an instruction comes from.
type Source struct {
	Src *plylang.Source
	Pos plylang.Pos
}

// String returns the script's text from there to the end of the line, or a part of it: the
// kernel keeps these texts, and one line may be the whole script.
func (s Source) String() string {
	line, col := s.Src.Position(s.Pos)
	text, offset := s.Src.LineText(s.Pos)
	return fmt.Sprintf("%d:%d: %.500s", line, col, text[offset:])
}

// SourceOf returns where in the script the instruction of a program comes
// from that the verifier calls number n; ok is false when that is not known.
func (o *Object) SourceOf(program string, n int) (pos plylang.Pos, ok bool) {
	spec := o.Spec.Programs[program]
	if spec == nil {
		return 0, false
	}
	for iter := spec.Instructions.Iterate(); iter.Next() && int(iter.Offset) <= n; {
		if s, is := iter.Ins.Source().(Source); is {
			pos, ok = s.Pos, true
		}
	}
	return pos, ok
}
