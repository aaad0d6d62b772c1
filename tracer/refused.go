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

// leftOut is what to say of the sites that are left out, once for each reason: a
// glob may have thousands.
func (p *program) leftOut() []error {
	var out []error
	var reasons []string
	names, first := map[string][]string{}, map[string]error{}
	for _, r := range p.refused {
		reason := strings.TrimPrefix(r.err.Error(), siteName(p.Attach, r.site)+": ")
		if first[reason] == nil {
			first[reason] = r.err
			reasons = append(reasons, reason)
		}
		names[reason] = append(names[reason], r.site.String())
	}
	for _, reason := range reasons {
		text := fmt.Sprintf("%s %s: %s", p.Attach, someOf(names[reason]), reason)
		out = append(out, &diagnosis{text, first[reason]})
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
