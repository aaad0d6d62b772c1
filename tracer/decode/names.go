package decode

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ply-exporter/bpfgen/object"
)

// errnoName takes an error number of either sign: -2 and 2 are ENOENT.
func errnoName(_ *Decoder, v object.Value) string {
	n := v.Int()
	if n < 0 {
		n = -n
	}
	if name := unix.ErrnoName(unix.Errno(n)); n != 0 && name != "" {
		return name
	}
	return Number(v)
}

func signalName(_ *Decoder, v object.Value) string {
	if name := unix.SignalName(unix.Signal(v.Int())); name != "" {
		return name
	}
	return Number(v)
}

// inet is an address as its bytes lie in memory: 4 are IPv4, 16 are IPv6.
func inet(_ *Decoder, v object.Value) string {
	if len(v.Raw) >= 16 {
		return netip.AddrFrom16([16]byte(v.Raw[:16])).String()
	}
	return netip.AddrFrom4([4]byte(v.Raw[:4])).String()
}

// user is a user id's name in /etc/passwd, read once.
func (d *Decoder) user(v object.Value) string {
	if d.users == nil {
		d.users = readUsers("/etc/passwd")
	}
	if name, ok := d.users[v.Int()]; ok {
		return name
	}
	return Number(v)
}

func readUsers(file string) map[int64]string {
	users := map[int64]string{}
	b, err := os.ReadFile(file)
	if err != nil {
		return users
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			continue
		}
		id, err := strconv.ParseInt(f[2], 10, 64)
		if _, have := users[id]; err == nil && !have {
			users[id] = f[0]
		}
	}
	return users
}
