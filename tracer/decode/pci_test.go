package decode

import (
	"testing"
	"testing/fstest"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

const pciIDs = `# a list
8086  Intel Corporation
	1533  I210 Gigabit Network Connection
		103c 0003  Ethernet adapter
	9999
10ec  Realtek
	8168  RTL8168
C 02  Network controller
	00  Ethernet controller
		01  of some kind
C 03  Display controller
`

func TestPCI(t *testing.T) {
	for _, file := range append([]string{""}, pciFiles...) {
		files := fstest.MapFS{"proc/version": {}}
		if file != "" {
			files[file] = &fstest.MapFile{Data: []byte(pciIDs)}
		}
		d := nodeDecoder(t, files)
		for _, row := range []struct {
			display     *plylang.Display
			n           int64
			want, plain string
		}{
			{plylang.DisplayPCI, 0x80861533, "Intel Corporation I210 Gigabit Network Connection", "8086:1533"},
			{plylang.DisplayPCI, 0x80869999, "Intel Corporation 9999", "8086:9999"},
			{plylang.DisplayPCI, 0x10ec8168, "Realtek RTL8168", "10ec:8168"},
			{plylang.DisplayPCI, 0x103c0003, "103c:0003", "103c:0003"},
			{plylang.DisplayPCIClass, 0x0200, "Ethernet controller", "0200"},
			{plylang.DisplayPCIClass, 0x0380, "Display controller", "0380"},
			{plylang.DisplayPCIClass, 0x0c03, "0c03", "0c03"},
		} {
			want := row.want
			if file == "" {
				want = row.plain
			}
			if got := d.Text(object.Value{Type: shown(row.display), Raw: word(row.n)}); got != want {
				t.Errorf("%q: %#x is %q, want %q", file, row.n, got, want)
			}
		}
	}
}
