package keys_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"ply-exporter/tracer/keys"
)

func key(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func TestNumbers(t *testing.T) {
	table := keys.New(8)
	if _, ok := table.Find(key(1)); ok {
		t.Error("an empty table has a key")
	}
	for i := range uint64(1000) {
		if n, fresh := table.Number(key(i * i)); n != int(i) || !fresh {
			t.Fatalf("key %d: got %d, %t", i, n, fresh)
		}
		if n, fresh := table.Number(key(i * i)); n != int(i) || fresh {
			t.Fatalf("key %d again: got %d, %t", i, n, fresh)
		}
	}
	if _, ok := table.Find(key(2)); ok || table.Len() != 1000 {
		t.Errorf("2 is no square; %d keys", table.Len())
	}
}

// A table is what a Go map would be, whatever is added and forgotten.
func TestTableIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table, want := keys.New(8), map[uint64]int{}
	for range 200 {
		if r.IntN(4) == 0 {
			table.Grow(r.IntN(100))
		}
		for range r.IntN(100) {
			k := r.Uint64N(500)
			n, fresh := table.Number(key(k))
			if old, known := want[k]; known == fresh || known && old != n {
				t.Fatalf("key %d: got %d, %t, want %d, %t", k, n, fresh, old, !known)
			}
			want[k] = n
		}
		if r.IntN(5) == 0 {
			forget(table, want, r)
		}
		if table.Len() != len(want) {
			t.Fatalf("%d keys, want %d", table.Len(), len(want))
		}
		for k, n := range want {
			if got, ok := table.Find(key(k)); !ok || got != n || string(table.Key(n)) != string(key(k)) {
				t.Fatalf("key %d: got %d, %t, want %d", k, got, ok, n)
			}
		}
	}
}

// forget forgets keys at random.
func forget(table *keys.Table, want map[uint64]int, r *rand.Rand) {
	kept := 0
	table.Keep(func(n int) bool {
		k := binary.LittleEndian.Uint64(table.Key(n))
		if r.IntN(3) == 0 {
			delete(want, k)
			return false
		}
		want[k] = kept
		kept++
		return true
	})
}

func TestKeyOfNoBytes(t *testing.T) {
	table := keys.New(0)
	for _, fresh := range []bool{true, false} {
		if n, got := table.Number(nil); n != 0 || got != fresh {
			t.Errorf("got %d, %t", n, got)
		}
	}
}

// Known keys, in the order in which they came first and in another one.
func BenchmarkKnownKeys(b *testing.B) {
	for name, step := range map[string]uint64{"same order": 1, "other order": 7919} {
		b.Run(name, func(b *testing.B) {
			table := keys.New(8)
			for i := range uint64(100_000) {
				table.Number(key(i))
			}
			k := key(0)
			for b.Loop() {
				for i := range uint64(100_000) {
					binary.LittleEndian.PutUint64(k, i*step%100_000)
					if _, fresh := table.Number(k); fresh {
						b.Fatal("not known")
					}
				}
			}
		})
	}
}
