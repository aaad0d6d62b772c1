// Package containers says which container and which pod a control group belongs to:
// by the group's path, and by the files that a node has. It asks no server.
package containers

import (
	"regexp"
	"strconv"
	"strings"
)

// A Place is what the path of a control group says of where it is.
type Place struct {
	// Pod is the UID of the Kubernetes pod, as its API writes it. The UID of a static
	// pod is a hash of 32 digits, which the API server knows by another UID.
	Pod string

	// IDs are those of the containers around the group, outermost first. In a pod
	// they are those in it: what the pod itself is in is left out.
	IDs []string

	// Name is that of the innermost container, where the path has it: LXC and systemd's
	// machines have names and no IDs.
	Name string
}

// Static says that the pod is one of the kubelet's own files.
func (p Place) Static() bool { return len(p.Pod) == staticUID }

// staticUID is how long the UID of a static pod is.
const staticUID = 32

// Inside says that the group is in a container.
func (p Place) Inside() bool { return p.Name != "" || len(p.IDs) > 0 }

// ID is that of the innermost container, "" where it has none.
func (p Place) ID() string {
	if n := len(p.IDs); n > 0 {
		return p.IDs[n-1]
	}
	return ""
}

// What a part of a path is. Runtimes write a word of theirs before the ID, with
// systemd's driver also .scope behind it: docker-ID.scope, crio-ID, ID.
var (
	idPart  = regexp.MustCompile(`^(.*-)?([0-9a-f]{64})(?:\.scope)?$`)
	podPart = regexp.MustCompile(`(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)
	machine = regexp.MustCompile(`^(?:lxc\.payload\.(.+)|machine-(.+)\.scope|systemd-nspawn@(.+)\.service)$`)
)

const (
	podmanParent = "libpod_parent" // a part without a word of podman's is a pod's in it
	supervisor   = "supervisor"    // what systemd-nspawn itself runs in, beside its payload
)

// Parse reads the path of a control group, from the root of its hierarchy or from
// anywhere above the container. The last container wins, as does the last pod:
// containers run in others. The process that watches over a container is beside it
// with all runtimes but systemd-nspawn's, and never belongs to it.
func Parse(path string) Place {
	var p Place
	before := ""
	for _, part := range parts(path) {
		p.add(part, before)
		before = part
	}
	return p
}

// parts are the folders of a path. Where the kubelet and containerd disagree about
// the driver, one has three: kubepods-podUID.slice:cri-containerd:ID.
func parts(path string) []string {
	return strings.FieldsFunc(strings.TrimSuffix(path, " (deleted)"), func(r rune) bool { return r == '/' || r == ':' })
}

// add takes in a part and the one before it.
func (p *Place) add(part, before string) {
	if part == supervisor && machine.MatchString(before) {
		p.Name = ""
		return
	}
	if m := podPart.FindStringSubmatch(part); m != nil {
		*p = Place{Pod: strings.ReplaceAll(m[1], "_", "-")}
		return
	}
	if m := idPart.FindStringSubmatch(part); m != nil {
		if prefix := m[1]; !strings.HasSuffix(prefix, "conmon-") && (prefix != "" || before != podmanParent) {
			p.IDs, p.Name = append(p.IDs, m[2]), ""
		}
		return
	}
	if m := machine.FindStringSubmatch(part); m != nil {
		p.Name = unescape(strings.Join(m[1:], ""))
	}
}

// unescape reads the name of a unit: systemd writes bytes that have a meaning in
// one as \x2d.
func unescape(unit string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(unit, `\x`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n, err := strconv.ParseUint(rest[:min(2, len(rest))], 16, 8)
		if err != nil || len(rest) < 2 {
			b.WriteString(`\x`)
			unit = rest
			continue
		}
		b.WriteByte(byte(n))
		unit = rest[2:]
	}
}
