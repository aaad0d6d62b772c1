package plylang

import "strings"

// A Provider is a kind of probe as the language sees it: how its
// specifications are written, and which words other languages have for it.
// Each is one row of the table below, which the code generator's row embeds.
type Provider struct {
	Name    string   // canonical
	Aliases []string // other spellings; any unambiguous prefix of Name works too
	Example string   // a specification, for messages
	Slash   Slash

	// Foreign are words of other languages for such a probe, each with what to
	// write instead. Hint says the same of the provider itself where it is not
	// built yet; "" for those that are.
	Foreign map[string]string
	Hint    string
}

// A Slash is what "/" means in the target of a specification.
type Slash uint8

// The meanings of a slash.
const (
	NoTarget      Slash = iota // there is no target: the name is the whole specification
	EndsTarget                 // it begins the predicate, with or without a blank before it
	FollowsBlank               // it begins the predicate, and needs a blank before it
	DividesTarget              // the first divides the target; a second one begins the predicate, and needs a blank before it
	BelongsToPath              // it is one of any number in a path
)

// providers is the table of providers. Where a name is a prefix of several, the
// parser takes the first.
var providers = []*Provider{
	{Name: "tracepoint", Aliases: []string{"t", "trace"}, Example: "tracepoint:sched/sched_switch", Slash: DividesTarget, Foreign: map[string]string{
		"tp":   "write tracepoint:category/event",
		"proc": "write tracepoint:sched/sched_process_exec and its kin",
		"io":   "write tracepoint:block/block_rq_issue and its kin",
	}},
	{Name: "rawtracepoint", Aliases: []string{"rt"}, Example: "rawtracepoint:sched_switch", Slash: FollowsBlank},
	{Name: "kprobe", Aliases: []string{"k"}, Example: "kprobe:vfs_read", Slash: EndsTarget, Foreign: map[string]string{
		"fbt":     "write kprobe:function where it begins, kretprobe:function where it returns",
		"syscall": systemCall, "syscalls": systemCall, "sys": systemCall,
	}},
	{Name: "kretprobe", Aliases: []string{"kr"}, Example: "kretprobe:vfs_read", Slash: EndsTarget},
	{Name: "fentry", Aliases: []string{"kfunc", "f"}, Example: "fentry:vfs_read", Slash: EndsTarget},
	{Name: "fexit", Aliases: []string{"kretfunc", "fr"}, Example: "fexit:vfs_read", Slash: EndsTarget},
	{Name: "uprobe", Aliases: []string{"u"}, Example: "uprobe:/bin/bash:readline", Slash: BelongsToPath, Foreign: map[string]string{
		"pid": "write uprobe:path:function where it begins, uretprobe:path:function where it returns",
	}},
	{Name: "uretprobe", Aliases: []string{"ur"}, Example: "uretprobe:/bin/bash:readline", Slash: BelongsToPath},
	{Name: "usdt", Example: "usdt:/usr/bin/python3:python:gc__start", Slash: BelongsToPath},
	{Name: "profile", Example: "profile:99hz", Slash: FollowsBlank},
	{Name: "interval", Example: "interval:1s", Slash: FollowsBlank, Foreign: map[string]string{"tick": everySecond, "timer": everySecond}},
	{Name: "software", Aliases: []string{"s"}, Example: "software:page-faults:100", Slash: FollowsBlank, Foreign: map[string]string{
		"perf": "write software:page-faults:1, hardware:cache-misses:1M or tracepoint:category/event",
	}},
	{Name: "hardware", Aliases: []string{"h"}, Example: "hardware:cache-misses:1M", Slash: FollowsBlank},
	{Name: "watchpoint", Example: "watchpoint:jiffies_64:8:w", Slash: FollowsBlank},
	{Name: "BEGIN", Foreign: map[string]string{"dtrace": beginOrEnd, "self": beginOrEnd}},
	{Name: "END"},
}

const (
	systemCall  = "write kprobe:sys_read where the call begins, kretprobe:sys_read where it returns"
	everySecond = "write interval:1s"
	beginOrEnd  = "write BEGIN or END"
	noProvider  = "nothing of that kind can be observed; ply-exporter list shows what can"
)

// unobservable are providers of other languages that no row comes near.
var unobservable = map[string]string{"asyncwatchpoint": noProvider, "iter": noProvider}

// Providers are all rows of the table, in its order.
func Providers() []*Provider { return providers }

// ProviderNamed returns the row of a canonical name, nil when there is none.
func ProviderNamed(name string) *Provider {
	for _, p := range providers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Called says whether a name is the provider's, or an alias.
func (p *Provider) Called(name string) bool {
	if p.Name == name {
		return true
	}
	for _, alias := range p.Aliases {
		if alias == name {
			return true
		}
	}
	return false
}

// meantProvider returns the first provider with targets that a name, as
// written, may stand for, nil when it is none's.
func meantProvider(name string) *Provider {
	for _, p := range providers {
		if p.Slash != NoTarget && p.Called(name) {
			return p
		}
	}
	for _, p := range providers {
		if p.Slash != NoTarget && strings.HasPrefix(p.Name, name) {
			return p
		}
	}
	return nil
}

// isWholeSpec says whether a name is a specification without a target.
func isWholeSpec(name string) bool {
	p := ProviderNamed(name)
	return p != nil && p.Slash == NoTarget
}

// exampleSpec is how a probe of the provider is written, and of any if there is
// no such provider.
func exampleSpec(provider string) string {
	if p := meantProvider(provider); p != nil && p.Example != "" {
		return p.Example
	}
	return ProviderNamed("kprobe").Example
}

// slashEndsTarget says whether a "/" right after the target of a provider, as
// written, begins the predicate.
func slashEndsTarget(provider string) bool {
	p := meantProvider(provider)
	return p != nil && p.Slash == EndsTarget
}

// predicateIn returns where the "/" is in the target of a provider that can
// only begin a predicate, -1 when there is none.
func predicateIn(provider, target string) int {
	p := meantProvider(provider)
	if p == nil {
		return -1
	}
	name := 0
	switch p.Slash {
	case FollowsBlank:
	case DividesTarget:
		name = strings.IndexAny(target, "/:") + 1
	default:
		return -1
	}
	if i := strings.IndexByte(target[name:], '/'); i >= 0 {
		return name + i
	}
	return -1
}

// ForeignProvider returns what to write in place of another language's
// provider, "" for a name that none of them has.
func ForeignProvider(name string) string {
	name = strings.TrimRight(name, "0123456789") // pid123
	for _, p := range providers {
		if p.Hint != "" && p.Called(name) {
			return p.Hint
		}
		if hint := p.Foreign[name]; hint != "" {
			return hint
		}
	}
	return unobservable[name]
}
