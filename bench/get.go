package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/bbolt"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

const getSize = 512 // bytes of one content

// reader gives the content stored under a number, by its key, and says how long it is.
type reader struct {
	name string
	how  string
	get  func(i int) (size int, err error)
}

// library is what all contenders of get read from.
type library struct {
	texts []string
	ids   []string // of Engram's memories
	keys  [][]byte // of the peers: the same bytes
	close []func() error
}

func get(s *session) (err error) {
	count, reads, rounds := s.size(200_000, 2000), s.size(100_000, 2000), s.turns(5)
	settings(s,
		fmt.Sprintf("%s contents of %d bytes, %s", thousands(float64(count)), getSize, corpusText),
		fmt.Sprintf("%s random reads by one goroutine for each contender and round, %d rounds; medians",
			thousands(float64(reads)), rounds),
		"every store was closed or sealed and read through once before: the system's cache holds all of it",
		"a read ends with the content in memory of the caller's own, unless the row says view")
	l := &library{texts: newCorpus(s.seed).pool(count, getSize)}
	defer func() {
		for _, c := range l.close {
			err = errors.Join(err, c())
		}
	}()
	for i := range count {
		l.ids = append(l.ids, fmt.Sprintf("memory-%09d", i))
		l.keys = append(l.keys, []byte(l.ids[i]))
	}
	readers, err := l.open(s)
	if err != nil {
		return err
	}
	for _, r := range readers {
		settings(s, r.name+": "+r.how)
		if err := readAll(r, count); err != nil {
			return err
		}
	}
	times, allocs := make([][]float64, len(readers)), make([][]float64, len(readers))
	err = rotate(s, rounds, len(readers), func(round, i int) error {
		random := rand.New(rand.NewPCG(s.seed, uint64(round)))
		ns, n, err := readRandom(readers[i], random, count, reads)
		times[i], allocs[i] = append(times[i], ns), append(allocs[i], n)
		return err
	})
	if err != nil {
		return err
	}
	printGet(s, readers, times, allocs)
	return nil
}

// readAll reads every content once, so that all are cached, and checks its length.
func readAll(r reader, count int) error {
	for i := range count {
		if size, err := r.get(i); err != nil || size != getSize {
			return fmt.Errorf("%s: content %d has %d bytes, not %d: %w", r.name, i, size, getSize, err)
		}
	}
	return nil
}

// readRandom gives nanoseconds and allocations per read.
func readRandom(r reader, random *rand.Rand, count, reads int) (ns, allocs float64, err error) {
	order := make([]int32, reads)
	for i := range order {
		order[i] = int32(random.IntN(count))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for _, i := range order {
		if _, err := r.get(int(i)); err != nil {
			return 0, 0, fmt.Errorf("%s: content %d: %w", r.name, i, err)
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return float64(took.Nanoseconds()) / float64(reads), float64(after.Mallocs-before.Mallocs) / float64(reads), nil
}

func printGet(s *session, readers []reader, times, allocs [][]float64) {
	t := newTable("read of 512 bytes", "ns/read", "allocations/read")
	ns := map[string]float64{}
	for i, r := range readers {
		ns[r.name] = median(times[i])
		t.row(r.name, fmt.Sprintf("%.0f", ns[r.name]), fmt.Sprintf("%.2f", median(allocs[i])))
	}
	t.print(s.out)
	engram := ns[readEngram]
	verdict(s, "Space.Get from a warm segment ahead of bbolt and of Pebble with either cache",
		engram < ns[readBolt] && engram < ns[readPebbleFits] && engram < ns[readPebbleSmall])
	viewAllocs := 0.0
	for i, r := range readers {
		if r.name == readWarmView || r.name == readHotView {
			viewAllocs += median(allocs[i])
		}
	}
	verdict(s, "reading published content allocates nothing", viewAllocs < .01)
}

// The contenders of get.
const (
	readEngram      = "Engram Space.Get, warm"
	readStore       = "internal/store, by id, warm"
	readWarmView    = "internal/segment, warm, view"
	readHotView     = "internal/segment, hot, view"
	readBolt        = "bbolt"
	readPebbleFits  = "Pebble, 256 MiB cache"
	readPebbleSmall = "Pebble, 8 MiB cache"
)

// open fills the stores and gives their readers.
func (l *library) open(s *session) ([]reader, error) {
	var readers []reader
	for _, open := range []func(*session) ([]reader, error){l.openEngram, l.openSegments, l.openBolt, l.openPebble} {
		some, err := open(s)
		if err != nil {
			return nil, err
		}
		readers = append(readers, some...)
	}
	return readers, nil
}

// openEngram remembers everything, seals, and opens the result twice: through the API, and a copy of it through the
// store below.
func (l *library) openEngram(s *session) ([]reader, error) {
	dir := filepath.Join(s.dir, "engram")
	if err := l.fillEngram(s.ctx, dir); err != nil {
		return nil, fmt.Errorf("fill Engram: %w", err)
	}
	below := filepath.Join(s.dir, "engram-below")
	if err := os.CopyFS(below, os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("copy Engram's files: %w", err)
	}
	db, err := engram.Open(dir)
	if err != nil {
		return nil, err
	}
	l.close = append(l.close, db.Close)
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return nil, err
	}
	if err := l.allWarm(s.ctx, space); err != nil {
		return nil, err
	}
	lower, err := store.Open(store.Options{
		FS: vfs.OS{}, Dir: filepath.Join(below, "spaces", "space-"+engram.DefaultSpace), Name: engram.DefaultSpace,
		NewStore: func() ([16]byte, error) { return [16]byte{}, errors.New("the space should exist") },
		Lexical:  lexical.Options{}, HotBytes: 16 << 20, HotLimit: 128 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	l.close = append(l.close, lower.Close)
	return l.engramReaders(space, lower.View()), nil
}

func (l *library) engramReaders(space *engram.Space, view *store.View) []reader {
	ctx := context.Background()
	api := func(i int) (int, error) {
		m, err := space.Get(ctx, l.ids[i])
		return len(m.Content), err
	}
	below := func(i int) (int, error) {
		found, ok, err := view.Lookup(l.ids[i])
		if err != nil || !ok {
			return 0, fmt.Errorf("memory %s: found %v: %w", l.ids[i], ok, err)
		}
		r, err := view.Record(found.Row)
		if err != nil {
			return 0, err
		}
		return len(r.Content), nil
	}
	return []reader{
		{readEngram, "the whole memory by id, every byte read checked against its checksum; default options", api},
		{
			readStore, "the record by id from a view, checked and decoded, without the API's boundary and conversions",
			below,
		},
	}
}

func (l *library) fillEngram(ctx context.Context, dir string) (err error) {
	db, err := engram.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return err
	}
	for first := 0; first < len(l.texts); first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, len(l.texts)); i++ {
			drafts = append(drafts, engram.Draft{ID: l.ids[i], Content: l.texts[i]})
		}
		if _, err := space.RememberBatch(ctx, drafts); err != nil {
			return err
		}
	}
	return sealAll(ctx, space)
}

// sealAll seals until nothing is in memory: a sealing that was under way is waited for first.
func sealAll(ctx context.Context, space *engram.Space) error {
	for range 3 {
		if err := space.Seal(ctx); err != nil {
			return err
		}
		stats, err := space.Stats(ctx)
		if err != nil || stats.Hot == 0 {
			return err
		}
	}
	return errors.New("memories are still hot after sealing three times")
}

// allWarm makes sure that what will be measured is what the table says, and that contents are what was remembered.
func (l *library) allWarm(ctx context.Context, space *engram.Space) error {
	for i := range l.ids {
		m, err := space.Get(ctx, l.ids[i])
		if err != nil {
			return err
		}
		if m.Tier != engram.TierWarm || m.Content != l.texts[i] {
			return fmt.Errorf("memory %s is %s, not warm, or not as it was remembered", l.ids[i], m.Tier)
		}
	}
	return nil
}

// openSegments puts the contents as they are into a segment, hot and sealed.
func (l *library) openSegments(s *session) ([]reader, error) {
	dir, err := s.folder("segment")
	if err != nil {
		return nil, err
	}
	hot := segment.NewHot(0)
	for i, text := range l.texts {
		hot.Add(segment.Identity{LSN: uint64(i + 1)}, uint64(i), []byte(text), nil)
	}
	file := segment.File{FS: vfs.OS{}, Dir: dir, Store: [16]byte{1}, Number: 1}
	size, err := segment.Seal(file, hot)
	if err != nil {
		return nil, err
	}
	warm, err := segment.Open(file, size)
	if err != nil {
		return nil, err
	}
	l.close = append(l.close, warm.Close)
	var seen int
	look := func(body []byte) error {
		seen = len(body)
		return nil
	}
	inFile := func(i int) (int, error) {
		err := warm.Read(uint32(i), look)
		return seen, err
	}
	inMemory := func(i int) (int, error) {
		err := hot.Read(uint32(i), look)
		return seen, err
	}
	return []reader{
		{readWarmView, "the bytes by row in the mapped file, line and bytes checked, lent without a copy", inFile},
		{readHotView, "the bytes by row in memory, lent without a copy", inMemory},
	}, nil
}

func (l *library) openBolt(s *session) ([]reader, error) {
	dir, err := s.folder("bbolt")
	if err != nil {
		return nil, err
	}
	w, err := openBolt(dir, 1)
	if err != nil {
		return nil, err
	}
	db := w.(*boltWriter).db
	l.close = append(l.close, db.Close)
	for first := 0; first < len(l.texts); first += 1000 {
		err := db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(boltBucket)
			b.FillPercent = 1 // keys ascend
			for i := first; i < min(first+1000, len(l.texts)); i++ {
				if err := b.Put(l.keys[i], []byte(l.texts[i])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("fill bbolt: %w", err)
		}
	}
	return []reader{{
		readBolt, "a View each, the value copied; it checks no checksums",
		func(i int) (size int, err error) {
			err = db.View(func(tx *bbolt.Tx) error {
				size = len(bytes.Clone(tx.Bucket(boltBucket).Get(l.keys[i])))
				return nil
			})
			return size, err
		},
	}}, nil
}

// openPebble fills one store and reads it with a cache that holds everything and, from a copy, with one that does not.
func (l *library) openPebble(s *session) ([]reader, error) {
	first, second := filepath.Join(s.dir, "pebble"), filepath.Join(s.dir, "pebble-small")
	if err := l.fillPebble(first); err != nil {
		return nil, fmt.Errorf("fill Pebble: %w", err)
	}
	if err := os.CopyFS(second, os.DirFS(first)); err != nil {
		return nil, fmt.Errorf("copy Pebble's files: %w", err)
	}
	how := "flushed and compacted, the value copied; blocks are checked when they enter the cache, not when read there"
	fits, err := l.readPebble(first, 256<<20, readPebbleFits, how)
	if err != nil {
		return nil, err
	}
	how = "the same, blocks mostly from the system's cache, and checked"
	small, err := l.readPebble(second, 8<<20, readPebbleSmall, how)
	return []reader{fits, small}, err
}

func (l *library) fillPebble(dir string) (err error) {
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 64 << 20, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for i, text := range l.texts {
		if err := db.Set(l.keys[i], []byte(text), pebble.NoSync); err != nil {
			return err
		}
	}
	if err := db.Flush(); err != nil {
		return err
	}
	return db.Compact(context.Background(), l.keys[0], append(bytes.Clone(l.keys[len(l.keys)-1]), 0), false)
}

func (l *library) readPebble(dir string, cacheBytes int64, name, how string) (reader, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{Cache: cache, Logger: quiet{}})
	if err != nil {
		return reader{}, fmt.Errorf("open Pebble: %w", err)
	}
	l.close = append(l.close, db.Close)
	return reader{name, how, func(i int) (int, error) {
		value, closer, err := db.Get(l.keys[i])
		if err != nil {
			return 0, err
		}
		size := len(bytes.Clone(value))
		return size, closer.Close()
	}}, nil
}
