package probe

import (
	"fmt"
	"os"
	"slices"

	"ply-exporter/plylang"
)

// Of one process
//
// A script may be asked for one process only. Each of its probes gets the predicate that
// tells the process, but those that no process runs into: BEGIN, END and interval. Functions
// of programs are attached in that process only, so that others do not stop there, and
// its files are those that it sees.

// Only has the probes of a parsed script fire for one process. Its errors are
// plylang.ErrorList: of alternatives all or none must be of a process.
func Only(script *plylang.Script, pid int) error {
	var errs plylang.ErrorList
	var probes []*plylang.Probe
	for _, p := range script.Probes {
		anywhere, its := *p, *p
		anywhere.Choices, its.Choices = nil, nil
		for _, c := range p.Choices {
			if slices.ContainsFunc(c.Specs, func(s *plylang.Spec) bool { return !ofNoProcess(s) }) {
				if i := slices.IndexFunc(c.Specs, ofNoProcess); i >= 0 {
					errs.Add(script.Src, c.Specs[i].Pos, "%s is of no process, and the other alternative is, which -p tells apart: write a probe of its own", c.Specs[i])
				}
				its.Choices = append(its.Choices, c)
			} else {
				anywhere.Choices = append(anywhere.Choices, c)
			}
		}
		if len(anywhere.Choices) > 0 {
			probes = append(probes, &anywhere)
		}
		if len(its.Choices) == 0 {
			continue
		}
		is := plylang.Expr(&plylang.Binary{Pos: p.Pos, Op: plylang.EQ,
			X: &plylang.Name{Pos: p.Pos, Name: "pid"},
			Y: &plylang.Number{Pos: p.Pos, Value: uint64(pid), Text: fmt.Sprint(pid)}})
		if p.Pred != nil {
			is = &plylang.Binary{Pos: p.Pos, Op: plylang.LAND, X: is, Y: p.Pred}
		}
		its.Pred = is
		probes = append(probes, &its)
	}
	script.Probes = probes
	if errs != nil {
		return errs
	}
	return nil
}

func ofNoProcess(s *plylang.Spec) bool {
	p, err := findProvider(s.Provider)
	return err == nil && slices.Contains([]string{"BEGIN", "END", "interval"}, p.Name)
}

// SetProcess has the resolver look for programs where that process sees them, and attach
// there for that process only.
func (r *Resolver) SetProcess(pid int) {
	r.pid, r.root = pid, fmt.Sprintf("/proc/%d/root", pid)
	same := true
	for _, link := range []string{"ns/mnt", "root"} {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, link))
		ours, ownErr := os.Readlink("/proc/self/" + link)
		same = same && err == nil && ownErr == nil && its == ours
	}
	if same {
		r.root = "" // so that names are short
	}
}
