package values

import (
	"os/exec"
	"testing"

	"ply-exporter/internal/need"
)

// allocator allocates, for each line, what it says: a function of the C library and its
// numbers. All of it is freed.
const allocator = `
import ctypes, sys
libc = ctypes.CDLL("libc.so.6")
for f in libc.malloc, libc.calloc, libc.realloc, libc.aligned_alloc, libc.mmap:
    f.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
size = ctypes.c_size_t
for line in sys.stdin:
    for i in range(3):
        small = libc.malloc(size(1000))
        large = libc.malloc(size(2_000_000))
        small = libc.realloc(ctypes.c_void_p(small), size(3_000_000))
        for p in small, large, libc.calloc(size(1000), size(5000)), libc.realloc(None, size(7_000_000)), libc.aligned_alloc(size(4096), size(11 << 20)):
            libc.free(p)
        p = libc.mmap(None, size(64 << 20), 0, 0x22, -1, size(0)) # private and anonymous
        libc.munmap(ctypes.c_void_p(p), size(64 << 20))
    print("done", flush=True)
`

// Large allocations of a program are counted, each once, and small ones not.
func TestMalloc(t *testing.T) {
	need.BPF(t)
	folder := t.TempDir()
	python := need.Command(t, "/usr/bin/python3")
	libc := copyProgram(t, folder, "libc.so.6")
	s := serve(t, loadFor(t, "malloc.yaml", map[string]string{"libc.so.6": libc}))
	cmd := withLibraries(exec.Command(python, "-I", "-c", allocator), folder)
	cmd.Env = append(cmd.Env, "MALLOC_MMAP_THRESHOLD_=1000000000") // none of it is mapped
	program := startWorker(t, cmd)
	program.do(t, "work") // what the program itself takes for its first work
	did := ledger{}
	compare(t, s, func() {
		program.do(t, "work")
		did["bytes"] += 3 * (2_000_000 + 3_000_000 + 1000*5000 + 7_000_000 + 11<<20)
		did["mapped"] += 3 * 64 << 20
	},
		comparison{ours: ours("ply_malloc_bytes_total"), source: "what the program asked for", theirs: did.of("bytes")},
		comparison{ours: ours("ply_malloc_bytes_total", "program", "python3"), source: "the same", theirs: did.of("bytes")},
		comparison{ours: ours("ply_malloc_mapped_bytes_total"), source: "what the program mapped", theirs: did.of("mapped")},
	)
}
