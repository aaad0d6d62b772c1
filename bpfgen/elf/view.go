package elf

import (
	"bytes"
	"errors"
	"io"
)

const (
	blockSize = 16 << 10
	blocks    = 2048     // kept at most: 32 MiB, of which most files need little
	longest   = 16 << 10 // of a string; C++ has names of thousands of bytes
)

// view reads a file by blocks and keeps some of them, so that reading names one
// by one costs no system call each. A block has one place where it may be kept.
type view struct {
	r    io.ReaderAt
	size uint64
	kept [blocks]block
}

type block struct {
	number uint64 // in the file, from 1
	data   []byte
}

var (
	errOutside = errors.New("lies outside of the file")
	errLong    = errors.New("has a name of more than 16 KiB")
)

// block returns a block of the file; the last one is shorter.
func (v *view) block(number uint64) ([]byte, error) {
	b := &v.kept[number%blocks]
	if b.number == number+1 {
		return b.data, nil
	}
	b.number = 0
	n := min(v.size-number*blockSize, blockSize)
	if uint64(cap(b.data)) < n {
		b.data = make([]byte, n)
	}
	b.data = b.data[:n]
	if m, err := v.r.ReadAt(b.data, int64(number*blockSize)); uint64(m) < n {
		if errors.Is(err, io.EOF) {
			err = errors.New("became shorter while it was read")
		}
		return nil, err
	}
	b.number = number + 1
	return b.data, nil
}

// forget lets all blocks go.
func (v *view) forget() { v.kept = [blocks]block{} }

// inside says whether size bytes at offset are in the file.
func (v *view) inside(offset, size uint64) bool {
	return offset <= v.size && size <= v.size-offset
}

// read fills p with what the file has at offset.
func (v *view) read(p []byte, offset uint64) error {
	if !v.inside(offset, uint64(len(p))) {
		return errOutside
	}
	for len(p) > 0 {
		b, err := v.block(offset / blockSize)
		if err != nil {
			return err
		}
		n := copy(p, b[offset%blockSize:])
		p, offset = p[n:], offset+uint64(n)
	}
	return nil
}

// bytes returns size bytes at offset. Callers bound the size.
func (v *view) bytes(offset, size uint64) ([]byte, error) {
	if !v.inside(offset, size) {
		return nil, errOutside
	}
	p := make([]byte, size)
	return p, v.read(p, offset)
}

// cstring returns the string that begins at offset and ends with a zero byte
// before end.
func (v *view) cstring(offset, end uint64) (string, error) {
	end = min(end, v.size)
	var long []byte
	for offset < end && len(long) < longest {
		b, err := v.block(offset / blockSize)
		if err != nil {
			return "", err
		}
		b = b[offset%blockSize:]
		b = b[:min(uint64(len(b)), end-offset)]
		i := bytes.IndexByte(b, 0)
		switch {
		case i >= 0 && len(long)+i >= longest:
			return "", errLong
		case i >= 0 && long == nil:
			return string(b[:i]), nil
		case i >= 0:
			return string(append(long, b[:i]...)), nil
		}
		long, offset = append(long, b...), offset+uint64(len(b))
	}
	if len(long) >= longest {
		return "", errLong
	}
	return "", errOutside
}
