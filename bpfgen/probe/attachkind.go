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

	// each says that a program belongs to one site from its loading on.
	each bool
}

var attachKinds = map[object.AttachKind]attachKind{
	object.AttachTracepoint:     {program: ebpf.ProgramSpec{Type: ebpf.TracePoint}, tells: kernel.Cookie},
	object.AttachRawTracepoint:  {program: ebpf.ProgramSpec{Type: ebpf.RawTracepoint}},
	object.AttachKprobe:         {program: ebpf.ProgramSpec{Type: ebpf.Kprobe}, tells: kernel.Cookie},
	object.AttachKretprobe:      {program: ebpf.ProgramSpec{Type: ebpf.Kprobe}, tells: kernel.Cookie},
	object.AttachKprobeMulti:    {program: ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti}, tells: kernel.Cookie},
	object.AttachKretprobeMulti: {program: ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeMulti}, tells: kernel.Cookie},
	object.AttachKprobeSession:  {program: ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceKprobeSession}, tells: kernel.Cookie},
	object.AttachFentry:         {program: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry}, each: true},
	object.AttachFexit:          {program: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFExit}, each: true},
	object.AttachUprobe:         {program: ebpf.ProgramSpec{Type: ebpf.Kprobe}, tells: kernel.Cookie},
	object.AttachUretprobe:      {program: ebpf.ProgramSpec{Type: ebpf.Kprobe}, tells: kernel.Cookie},
	object.AttachUprobeMulti:    {program: ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti}, tells: kernel.Cookie},
	object.AttachUretprobeMulti: {program: ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti}, tells: kernel.Cookie},
	object.AttachPerfEvent:      {program: ebpf.ProgramSpec{Type: ebpf.PerfEvent}, tells: kernel.Cookie},
	object.AttachBegin:          {program: ebpf.ProgramSpec{Type: ebpf.RawTracepoint}},
	object.AttachEnd:            {program: ebpf.ProgramSpec{Type: ebpf.RawTracepoint}},
}
