package engram_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// BenchmarkRemember is the computing part of a write: the file system is in memory, so nothing waits for a disk.
func BenchmarkRemember(b *testing.B) {
	words := make([]string, 20000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range words {
		n := 3 + rng.IntN(7)
		w := make([]byte, n)
		for j := range w {
			w[j] = byte('a' + rng.IntN(26))
		}
		words[i] = string(w)
	}
	zipf := rand.NewZipf(rng, 1.1, 5, 19999)
	texts := make([]string, 1<<15)
	for i := range texts {
		var sb strings.Builder
		for sb.Len() < 250 {
			sb.WriteString(words[zipf.Uint64()])
			sb.WriteByte(' ')
		}
		texts[i] = sb.String()
	}
	db, err := engram.Options{}.On(vfs.NewMem()).Open("/d")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	s, _ := db.Space("default")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, err := s.Remember(b.Context(), engram.Draft{
			Content: texts[i%len(texts)], Session: string(rune('a' + i>>15)),
		})
		if err != nil {
			b.Fatal(err)
		}
		i++
	}
}
