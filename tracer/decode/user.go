package decode

import (
	"os"
	"strconv"
	"strings"

	"ply-exporter/bpfgen/object"
)

// user is a user id's name in /etc/passwd.
func (d *Decoder) user(v object.Value) string {
	if name, ok := d.machine.users.of(v.Int()); ok {
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
		if _, have := users[id]; err == nil && !have && len(users) < maxNames {
			users[id] = f[0]
		}
	}
	return users
}
