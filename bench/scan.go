package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vec"
)

const (
	scanDim      = 768
	scanLimit    = 10
	scanClusters = 1000
)

// vectors are generated embeddings, row-major: points around centres, so that a question has neighbours to find.
type vectors struct {
	rows    []float32
	centres []float32
	count   int
}

// newVectors spreads count vectors around scanClusters centres: two of one cluster have a cosine near one half.
func newVectors(random *rand.Rand, count int) *vectors {
	v := &vectors{rows: vec.Alloc(count * scanDim), centres: make([]float32, scanClusters*scanDim), count: count}
	for i := range v.centres {
		v.centres[i] = random.Float32() - .5
	}
	for i := range count {
		v.near(random, v.rows[i*scanDim:(i+1)*scanDim])
	}
	return v
}

// near puts a point near a random centre into v.
func (v *vectors) near(random *rand.Rand, point []float32) {
	centre := v.centres[random.IntN(scanClusters)*scanDim:]
	for i := range point {
		point[i] = centre[i] + random.Float32() - .5
	}
}

func (v *vectors) sizeBytes() float64 { return float64(len(v.rows)) * 4 }

func (v *vectors) row(i int) []float32 { return v.rows[i*scanDim : (i+1)*scanDim] }

// sink keeps what is computed for its time only.
type sink struct{ value float64 }

func scan(s *session) (err error) {
	count, questions, rounds := s.size(100_000, 2000), s.size(10, 3), s.turns(7)
	random := rand.New(rand.NewPCG(s.seed, 2))
	data := newVectors(random, count)
	queries := make([][]float32, questions)
	for i := range queries {
		queries[i] = make([]float32, scanDim)
		data.near(random, queries[i])
	}
	settings(s,
		fmt.Sprintf("%s vectors of %d float32 (%s), generated around %d centres, cosine, %d nearest wanted",
			thousands(float64(count)), scanDim, mebibytes(data.sizeBytes()), scanClusters, scanLimit),
		fmt.Sprintf("one goroutine asks %d questions one after the other in each round; %d rounds; medians",
			questions, rounds),
		"kernels: "+vec.Implementation())
	db, err := engram.Open(filepath.Join(s.dir, "engram"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return err
	}
	if err := rememberVectors(s, space, data); err != nil {
		return fmt.Errorf("remember vectors: %w", err)
	}
	found, searched, err := scanRecall(s, space, data, queries) // also reads and checks every page once
	if err != nil {
		return err
	}
	all := passes(s, space, data)
	for _, p := range all {
		settings(s, p.name+": "+p.how)
	}
	times := make([][]float64, len(all))
	err = rotate(s, rounds, len(all), func(_, i int) error {
		start := time.Now()
		for _, q := range queries {
			if err := all[i].run(q); err != nil {
				return err
			}
		}
		times[i] = append(times[i], time.Since(start).Seconds()/float64(len(queries)))
		return nil
	})
	if err != nil {
		return err
	}
	printScan(s, all, times, data.sizeBytes())
	fmt.Fprintf(s.out, "Recall by embedding searched %s memories and found %.3f of the true %d nearest "+
		"(by vec.Dot in float32 over all rows).\n", thousands(searched), found, scanLimit)
	return nil
}

// pass is one way to go through all vectors once.
type pass struct {
	name string
	how  string
	run  func(query []float32) error
}

const (
	passStream = "streaming reads, by vec"
	passPlain  = "streaming reads, plain Go"
	passRows   = "vec.DotRows"
	passRecall = "Recall by embedding"
)

func passes(s *session, space *engram.Space, data *vectors) []pass {
	waste, scores, words := &sink{}, make([]float32, data.count), asWords(data.rows)
	return []pass{
		{passStream, "the widest loads and prefetches there are, a sum the only arithmetic", func([]float32) error {
			waste.value += float64(vec.StreamSum(data.rows))
			return nil
		}},
		{
			passPlain, "eight sums of uint64 loads, compiled: so that the yardstick is not only our own",
			func([]float32) error {
				waste.value += float64(sumWords(words))
				return nil
			},
		},
		{passRows, "inner products of one question with all rows of one array", func(q []float32) error {
			vec.DotRows(q, data.rows, scanDim, scores)
			return nil
		}},
		{
			passRecall,
			"the public API, Limit 10, all sealed and mapped: norms, ranking, contents of the answer included",
			func(q []float32) error {
				_, err := space.Recall(s.ctx, engram.Cue{Embedding: q, Limit: scanLimit})
				return err
			},
		},
	}
}

// printScan holds every pass against the faster of the two streaming reads.
func printScan(s *session, all []pass, times [][]float64, bytes float64) {
	seconds := map[string]float64{}
	for i, p := range all {
		seconds[p.name] = median(times[i])
	}
	yardstick := min(seconds[passStream], seconds[passPlain])
	t := newTable("pass over all vectors", "ms", "GB/s", "of streaming reads")
	for _, p := range all {
		m := seconds[p.name]
		t.row(p.name, fmt.Sprintf("%.2f", m*1e3), fmt.Sprintf("%.2f", bytes/m/1e9), fmt.Sprintf("%.2f", yardstick/m))
	}
	t.print(s.out)
	verdict(s, "exact scan at .9 of streaming reads or more, by vec.DotRows", yardstick/seconds[passRows] >= .9)
	verdict(s, "exact scan at .9 of streaming reads or more, through the whole of Recall",
		yardstick/seconds[passRecall] >= .9)
}

func rememberVectors(s *session, space *engram.Space, data *vectors) error {
	for first := 0; first < data.count; first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, data.count); i++ {
			drafts = append(drafts, engram.Draft{ID: vectorID(i), Content: vectorID(i), Embedding: data.row(i)})
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
	}
	return sealAll(s.ctx, space)
}

func vectorID(i int) string { return fmt.Sprintf("vector-%07d", i) }

// scanRecall gives the share of the true nearest vectors that Recall finds, and how many memories it went through.
func scanRecall(
	s *session, space *engram.Space, data *vectors, queries [][]float32,
) (found, searched float64, err error) {
	for _, q := range queries {
		answer, err := space.Recall(s.ctx, engram.Cue{Embedding: q, Limit: scanLimit})
		if err != nil {
			return 0, 0, fmt.Errorf("recall by embedding: %w", err)
		}
		got := map[string]bool{}
		for _, h := range answer.Hits {
			got[h.ID] = true
		}
		for _, i := range nearest(data, q) {
			if got[vectorID(i)] {
				found++
			}
		}
		searched = float64(answer.Searched)
	}
	return found / float64(scanLimit*len(queries)), searched, nil
}

// nearest lists the rows with the largest cosines, ties by row.
func nearest(data *vectors, q []float32) []int {
	type scored struct {
		row    int
		cosine float32
	}
	all := make([]scored, data.count)
	for i := range all {
		all[i] = scored{i, vec.Dot(q, data.row(i)) / (vec.Norm(q) * vec.Norm(data.row(i)))}
	}
	slices.SortFunc(all, func(a, b scored) int {
		switch {
		case a.cosine > b.cosine:
			return -1
		case a.cosine < b.cosine:
			return 1
		default:
			return a.row - b.row
		}
	})
	rows := make([]int, scanLimit)
	for i := range rows {
		rows[i] = all[i].row
	}
	return rows
}

// asWords copies floats in pairs, for a loop that the compiler makes the best of.
func asWords(floats []float32) []uint64 {
	words := make([]uint64, len(floats)/2)
	for i := range words {
		words[i] = uint64(math.Float32bits(floats[2*i])) | uint64(math.Float32bits(floats[2*i+1]))<<32
	}
	return words
}

func sumWords(words []uint64) uint64 {
	var a, b, c, d, e, f, g, h uint64
	for ; len(words) >= 8; words = words[8:] {
		w := words[:8:8]
		a, b, c, d = a+w[0], b+w[1], c+w[2], d+w[3]
		e, f, g, h = e+w[4], f+w[5], g+w[6], h+w[7]
	}
	for _, w := range words {
		a += w
	}
	return a + b + c + d + e + f + g + h
}
