package probe

// perfTypeCache is PERF_TYPE_HW_CACHE.
const perfTypeCache = 3

// Events of caches are named as perf names them: what is done, and how often the cache did
// not have it. A processor counts only some of them; the kernel knows which.
var (
	caches   = []string{"L1-dcache", "L1-icache", "LLC", "dTLB", "iTLB", "branch", "node"} // perf_hw_cache_id
	cacheOps = []string{"load", "store", "prefetch"}                                       // perf_hw_cache_op_id
)

// cacheCounters are those of enum perf_hw_cache_id. The results are numbered in the
// third byte: accesses are 0, misses 1.
func cacheCounters() (all []counter) {
	for cache, name := range caches {
		for op, done := range cacheOps {
			config := uint64(cache | op<<8)
			times := name + "-" + done + "s"
			if done == "prefetch" {
				times = name + "-prefetches"
			}
			all = append(all,
				counter{name: times, kind: perfTypeCache, config: config, period: 1e6},
				counter{name: name + "-" + done + "-misses", kind: perfTypeCache, config: config | 1<<16, period: 1e6})
		}
	}
	return all
}
