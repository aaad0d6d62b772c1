package object

import "testing"

// What Linux 6.12 charges with two CPUs.
func TestMemory(t *testing.T) {
	tests := []struct {
		name string
		m    Map
		cpus int
		want int
	}{
		{"@[pid, tid] = count()", Map{Storage: PerCPUHash, KeySize: 16, Size: 8, Room: 10240}, 2, 1164224},
		{"@ = count()", Map{Storage: Cell, Size: 8, Room: 1}, 2, 8192},
		{"a large cell", Map{Storage: Cell, Size: 4096, Room: 1}, 2, 12288},
		{"copies of a text", Map{Storage: Cell, Size: 120, Room: 1, Copies: 256}, 256, 4096 + 65536},
		{"one value for all CPUs", Map{Storage: SharedHash, KeySize: 8, Size: 216, Room: 1024}, 256, 960 + 16*1024 + (1024+256)*(48+8+216) + 256*8},
		{"a table", Map{Storage: LRUHash, KeySize: 8, Size: 8, Room: 10752}, 2, 951232},
		{"keys that are no multiple of 8 bytes", Map{Storage: LRUHash, KeySize: 4, Size: 8, Room: 1}, 2, 960 + 16 + 48 + 8 + 8},
	}
	for _, tt := range tests {
		if got := tt.m.Memory(tt.cpus); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}
