package tracer

import (
	"fmt"
	"strings"

	"ply-exporter/bpfgen/object"
)

// A refused is a site of a glob that the kernel does not let us attach to: the
// script runs without it, with a warning.
type refused struct {
	site object.Site
	err  error // names the site
}

// leftOut is what to say of the sites of programs that are left out, once for each
// reason: a glob may have thousands.
func leftOut(programs ...*program) []error {
	type reason struct {
		kind object.AttachKind
		text string
	}
	var out []error
	var reasons []reason
	names, first := map[reason][]string{}, map[reason]error{}
	for _, p := range programs {
		for _, r := range p.refused {
			why := reason{p.Attach, strings.TrimPrefix(r.err.Error(), siteName(p.Attach, r.site)+": ")}
			if first[why] == nil {
				first[why] = r.err
				reasons = append(reasons, why)
			}
			names[why] = append(names[why], r.site.String())
		}
	}
	for _, why := range reasons {
		text := fmt.Sprintf("%s %s: %s", why.kind, someOf(names[why]), why.text)
		out = append(out, &diagnosis{text, first[why]})
	}
	return out
}

// someOf names the first few of several things.
func someOf(names []string) string {
	const most = 8
	if more := len(names) - most; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
