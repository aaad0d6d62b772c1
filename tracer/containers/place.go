// Package containers says which container and which pod a control group belongs to:
// by the group's path, and by the files that a node has. It asks no server.
package containers

import (
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

const (
	idDigits     = 64
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
	if uid := podUID(part); uid != "" {
		*p = Place{Pod: uid}
		return
	}
	if word, id := splitID(part); id != "" {
		if !strings.HasSuffix(word, "conmon-") && (word != "" || before != podmanParent) {
			p.IDs, p.Name = append(p.IDs, id), ""
		}
		return
	}
	if name := machineName(part); name != "" {
		p.Name = name
	} else if part == supervisor && machineName(before) != "" {
		p.Name = ""
	}
}

// splitID splits the part of a container into a word of its runtime and the ID, as
// docker-ID.scope or ID.
func splitID(part string) (word, id string) {
	part = strings.TrimSuffix(part, ".scope")
	at := len(part) - idDigits
	if at < 0 || !isHex(part[at:]) || at > 0 && part[at-1] != '-' {
		return "", ""
	}
	return part[:at], part[at:]
}

// podUID is the UID in the part of a pod, as podUID or kubepods-podUID.slice: in the name
// of a unit it has _ for -.
func podUID(part string) string {
	part = strings.TrimSuffix(part, ".slice")
	at := strings.LastIndex(part, "pod")
	if at < 0 || at > 0 && part[at-1] != '-' {
		return ""
	}
	uid := strings.ReplaceAll(part[at+len("pod"):], "_", "-")
	digits := uid
	if len(uid) == len("12345678-9abc-def0-1234-56789abcdef0") {
		for _, hyphen := range []int{23, 18, 13, 8} {
			if uid[hyphen] != '-' {
				return ""
			}
			digits = digits[:hyphen] + digits[hyphen+1:]
		}
	}
	if len(digits) != staticUID || !isHex(digits) {
		return ""
	}
	return uid
}

// machineName is the name in the part of a container that has one.
func machineName(part string) string {
	for _, unit := range []struct{ before, after string }{{"lxc.payload.", ""}, {"machine-", ".scope"}, {"systemd-nspawn@", ".service"}} {
		if name, ok := strings.CutPrefix(part, unit.before); ok {
			if name, ok := strings.CutSuffix(name, unit.after); ok {
				return unescape(name)
			}
		}
	}
	return ""
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

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
