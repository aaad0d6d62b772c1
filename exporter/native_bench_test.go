package exporter

import (
	"encoding/binary"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	"ply-exporter/bpfgen/object"
	"ply-exporter/exporter/encode"
)

// BenchmarkNativeScrape compares what a scrape of 1,000 histograms costs with native
// buckets and without, from what was read of the map to the message.
func BenchmarkNativeScrape(b *testing.B) {
	for _, x := range []string{"", ", native: true", ", native: {bits: 3}", ", native: {bits: 4}"} {
		b.Run(strings.TrimPrefix(x, ", "), func(b *testing.B) {
			tracer := &fakeTracer{rows: map[string][]pair{}}
			f := &fakeBackend{scripts: map[string]string{"S": on("@[pid] = quantize(time - time);")}, tracers: map[string]*fakeTracer{"S": tracer}}
			c := run(b, f, oneScriptYAML(`{map: "@"`+x+`}`))
			m := c.scripts[0].compiled.object.Maps[0]
			r := rand.New(rand.NewPCG(1, 2))
			for i := range 1000 {
				key, value := make([]byte, m.KeySize), make([]byte, m.Size)
				binary.LittleEndian.PutUint32(key, uint32(i))
				for range 200 { // times around 30 µs, over three decades
					value[8+8*bucketOf(m.Buckets, int64(30_000*math.Exp(r.NormFloat64())))]++
				}
				tracer.read = append(tracer.read, Row{Key: key, Value: m.AppendRead(nil, value)})
			}
			b.ReportAllocs()
			for b.Loop() {
				err := c.scrape(time.Now(), func(families []gathered) {
					e := encode.New(io.Discard, expfmt.FmtProtoDelim, true)
					for _, f := range families {
						if f.script != nil {
							e.Family(f.script)
						}
					}
					_ = e.Close()
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(m.Buckets.Len()), "buckets")
		})
	}
}

// bucketOf is the bucket of a number.
func bucketOf(b object.Buckets, n int64) int {
	return sort.Search(b.Len(), func(i int) bool {
		_, to := b.Range(i)
		return to == nil || to.Cmp(big.NewInt(n)) >= 0
	})
}
