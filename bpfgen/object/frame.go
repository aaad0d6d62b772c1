package object

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// StackHead is how many bytes are before the frames in UserStackMap: the number of the
// process, where a frame is an address, else 0.
const StackHead = 8

// FrameSize is the size of a frame in UserStackMap, the kernel's struct
// bpf_stack_build_id.
const FrameSize = 32

// LostStack is the id of stacks for which there was no room.
const LostStack = -int64(unix.E2BIG)

// A BuildID is that of a program or a library. One that is shorter, as of some
// linkers, is filled with zeros.
type BuildID [20]byte

// A Frame is one call of a process's stack: where it is in the file of that build
// ID, or, where the kernel could not tell or there is no file, its address in the
// process.
type Frame struct {
	BuildID BuildID // zero: there is an address
	Offset  uint64  // in the file
	Process uint32  // the number of the process
	Address uint64  // in it
}

// States of a frame, enum bpf_stack_build_id_status.
const (
	frameInFile    = 1
	FrameAtAddress = 2
)

// UserAddressSize is the size of an address with the number of its process.
const UserAddressSize = 16

// UserAddress is the frame of such a value.
func UserAddress(value []byte) Frame {
	return Frame{Address: binary.NativeEndian.Uint64(value), Process: binary.NativeEndian.Uint32(value[8:])}
}

// Frames are those of a value of UserStackMap, innermost first.
func Frames(value []byte) (frames []Frame) {
	if len(value) < StackHead {
		return nil
	}
	process := binary.NativeEndian.Uint32(value)
	for value = value[StackHead:]; len(value) >= FrameSize; value = value[FrameSize:] {
		number := binary.NativeEndian.Uint64(value[24:])
		switch binary.NativeEndian.Uint32(value) {
		case frameInFile:
			frames = append(frames, Frame{BuildID: BuildID(value[4:24]), Offset: number})
		case FrameAtAddress:
			frames = append(frames, Frame{Process: process, Address: number})
		default:
			return frames
		}
	}
	return frames
}
