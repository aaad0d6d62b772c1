package elf

import (
	"debug/elf"
	"io"
	"slices"
)

// longestList bounds how much of a location list is read: most have a few entries.
const longestList = 64 << 10

// contents reads a section from here to there. What is compressed is uncompressed up to
// there and not kept, since it may be most of a program's debug information.
type contents struct {
	*packed

	r      io.Reader // of what is compressed, behind window
	start  int64     // of window
	window []byte
}

// lists are the location lists of DWARF 4 and 5; nil where there are none.
type lists struct{ four, five *contents }

// openLists opens the sections of location lists, which are read when they are asked for.
func (f *File) openLists() (l lists) {
	e, err := elf.NewFile(io.NewSectionReader(f.view.r, 0, int64(f.view.size)))
	if err != nil {
		return l
	}
	return listsOf(e)
}

func listsOf(e *elf.File) lists {
	open := func(name string) *contents {
		s := debugSection(e, name)
		if s == nil || !s.isPossible() {
			return nil
		}
		return &contents{packed: s}
	}
	return lists{open("loc"), open("loclists")}
}

// at returns what the section has from an offset on, as much as a list may have. It is there
// until the next call.
func (c *contents) at(at int64) ([]byte, error) {
	if c == nil || at < 0 || at >= int64(c.size) {
		return nil, errDamaged
	}
	n := min(longestList, int64(c.size)-at)
	if c.plain != nil {
		list := make([]byte, n)
		_, err := c.plain.ReadAt(list, at)
		return list, err
	}
	if c.r == nil || at < c.start {
		r, err := c.open()
		if err != nil {
			return nil, err
		}
		c.r, c.start, c.window = r, 0, nil
	}
	for c.start+int64(len(c.window)) < at+n { // the next piece, of which a part may be known
		if gone := len(c.window) - longestList; gone > 0 {
			c.start += int64(gone)
			c.window = c.window[:copy(c.window, c.window[gone:])]
		}
		from := len(c.window)
		c.window = slices.Grow(c.window, longestList)[:from+int(min(longestList, int64(c.size)-c.start-int64(from)))]
		if _, err := io.ReadFull(c.r, c.window[from:]); err != nil {
			c.r = nil
			return nil, err
		}
	}
	return c.window[at-c.start:][:n], nil
}
