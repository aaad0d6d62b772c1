package probe

import (
	"github.com/cilium/ebpf"

	"ply-exporter/bpfgen/kernel"
	"ply-exporter/bpfgen/object"
)

// An attachKind is what the planner knows of an attach kind.
type attachKind struct {
	program ebpf.ProgramSpec // type and attach type; no instructions

	// tells is what this kernel must have to tell a program at several sites
	// which of them fired. Where nothing does, sites take a program each when
	// the clause asks.
	tells kernel.Feature
}

var attachKinds = map[object.AttachKind]attachKind{
	object.AttachTracepoint:     {ebpf.ProgramSpec{Type: ebpf.TracePoint}, kernel.Cookie},
	object.AttachRawTracepoint:  {ebpf.ProgramSpec{Type: ebpf.RawTracepoint}, ""},
	object.AttachKprobe:         {ebpf.ProgramSpec{Type: ebpf.Kprobe}, kernel.Cookie},
	object.AttachKretprobe:      {ebpf.ProgramSpec{Type: ebpf.Kprobe}, kernel.Cookie},
	object.AttachKprobeMulti:    {ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti}, kernel.Cookie},
	object.AttachKretprobeMulti: {ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti}, kernel.Cookie},
	object.AttachKprobeSession:  {ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeSession}, kernel.Cookie},
	object.AttachPerfEvent:      {ebpf.ProgramSpec{Type: ebpf.PerfEvent}, kernel.Cookie},
	object.AttachBegin:          {ebpf.ProgramSpec{Type: ebpf.RawTracepoint}, ""},
	object.AttachEnd:            {ebpf.ProgramSpec{Type: ebpf.RawTracepoint}, ""},
}
