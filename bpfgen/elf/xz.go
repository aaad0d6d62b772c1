package elf

import (
	"errors"
	"hash/crc32"
	"hash/crc64"
)

// Files of xz
//
// A header, blocks of data, and an index of these, which is not needed. A block has a
// header, chunks of LZMA2, and a checksum.

// maxUnpacked bounds what a section of symbols is uncompressed to. Stacks name symbols of
// several files at a time, which anybody may have made.
const maxUnpacked = 16 << 20

// maxChunks bounds how often everything begins anew. xz makes chunks of up to 2 MiB.
const maxChunks = 1 << 14

var (
	errNotXZ  = errors.New("is not compressed by xz")
	errPacked = errors.New("is compressed in a way that is not known, or damaged")
)

// unxz uncompresses what xz has compressed.
func unxz(p []byte) ([]byte, error) {
	const magic = "\xfd7zXZ\x00"
	if len(p) < 12 || string(p[:6]) != magic || crc32.ChecksumIEEE(p[6:8]) != little.Uint32(p[8:]) {
		return nil, errNotXZ
	}
	size, ok := map[byte]int{0: 0, 1: 4, 4: 8, 10: 32}[p[7]]
	if !ok {
		return nil, errPacked
	}
	d := &lzma{}
	for at := 12; ; {
		if at >= len(p) {
			return nil, errPacked
		}
		if p[at] == 0 { // the index
			return d.out, nil
		}
		next, err := d.block(p, at, size)
		if err != nil {
			return nil, err
		}
		at = next
	}
}

// block uncompresses a block and returns where the next one is.
func (d *lzma) block(p []byte, at, checkSize int) (int, error) {
	size := 4 * (int(p[at]) + 1)
	if size > len(p)-at || crc32.ChecksumIEEE(p[at:at+size-4]) != little.Uint32(p[at+size-4:]) {
		return 0, errPacked
	}
	x := expression{code: p[at+1 : at+size-4]}
	flags := x.code[0]
	x.code = x.code[1:]
	for _, has := range []byte{0x40, 0x80} { // sizes
		if flags&has != 0 {
			x.number(false)
		}
	}
	const lzma2 = 0x21
	if flags&^0xc0 != 0 || x.number(false) != lzma2 || x.number(false) != 1 {
		return 0, errPacked
	}
	begin, data := len(d.out), p[at+size:]
	n, err := d.chunks(data)
	if err != nil {
		return 0, err
	}
	check := int(align4(uint64(n)))
	if check+checkSize > len(data) || !checks(d.out[begin:], data[check:check+checkSize]) {
		return 0, errPacked
	}
	return at + size + check + checkSize, nil
}

var crc64Table = crc64.MakeTable(crc64.ECMA)

// checks compares data with its checksum, except with one that nobody uses for symbols.
func checks(data, sum []byte) bool {
	switch len(sum) {
	case 4:
		return crc32.ChecksumIEEE(data) == little.Uint32(sum)
	case 8:
		return crc64.Checksum(data, crc64Table) == little.Uint64(sum)
	}
	return true
}

// chunks uncompresses chunks of LZMA2, and returns how many bytes they are.
func (d *lzma) chunks(p []byte) (int, error) {
	for at := 0; at < len(p); {
		control := p[at]
		at++
		if control == 0 {
			return at, nil
		}
		if d.count++; len(p)-at < 5 || d.count > maxChunks {
			return 0, errPacked
		}
		if control == 1 || control >= 0xe0 {
			d.start = len(d.out)
		}
		size := int(p[at])<<8 + int(p[at+1]) + 1
		if control >= 0x80 {
			size += int(control&0x1f) << 16
		}
		if len(d.out)+size > maxUnpacked {
			return 0, errors.New("has more symbols than are read")
		}
		n := 2
		ok := false
		if control < 0x80 {
			if ok = control <= 2 && size <= len(p)-at-n; ok {
				d.out = append(d.out, p[at+n:at+n+size]...)
				n += size
			}
		} else {
			n, ok = d.packed(control, p[at:], size)
		}
		if !ok {
			return 0, errPacked
		}
		at += n
	}
	return 0, errPacked
}

// packed uncompresses a chunk of LZMA, behind its first byte, and returns how many bytes
// it is.
func (d *lzma) packed(control byte, p []byte, size int) (n int, ok bool) {
	packed := int(p[2])<<8 + int(p[3]) + 1
	n = 4
	if control >= 0xc0 { // new properties
		if !d.setProperties(p[n]) {
			return 0, false
		}
		n++
	}
	if d.literals == nil || packed > len(p)-n {
		return 0, false
	}
	if control >= 0xa0 {
		d.reset()
	}
	return n + packed, d.decode(p[n:n+packed], size)
}
