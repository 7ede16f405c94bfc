package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/orchard9/engram-go"
)

const memorySize = 200 // bytes of one text

// holding is one way in which texts are held.
type holding struct {
	name    string
	options engram.Options
	seal    bool
	reopen  bool // the directory was filled before
}

func memory(s *session) error {
	count := s.size(100_000, 2000)
	settings(s,
		fmt.Sprintf("%s texts of %d bytes without vectors, %s; ids assigned; batches of 1,000",
			thousands(float64(count)), memorySize, corpusText),
		"held: live heap (HeapAlloc) after two collections, less the same before the directory was opened: every "+
			"index, table and log buffer included",
		"spans: the same of HeapInuse, which counts the unused rest of size classes too",
		"mapped: segment files; their pages are the system's to keep or drop, and not in held",
		"reopened: closed, opened again and measured before anything was asked")
	holdings := []holding{
		{"default options", engram.Options{}, false, false},
		{"all sealed", engram.Options{}, true, false},
		{"all hot", engram.Options{HotBytes: 1 << 30}, false, false},
	}
	t := newTable("held as", "hot", "warm", "bytes held per text", "of the text", "spans per text", "index (Stats)",
		"mapped")
	var most, usual float64 // multiples of the text: of all rows, and with default options
	for i, h := range holdings {
		dir := filepath.Join(s.dir, fmt.Sprintf("engram-%d", i))
		held, err := measureHolding(s, h, dir, t, count)
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		if h.options.HotBytes == 0 {
			usual = max(usual, held)
		}
		most = max(most, held)
		if h.seal {
			h.name, h.reopen = h.name+", reopened", true
			if held, err = measureHolding(s, h, dir, t, count); err != nil {
				return fmt.Errorf("%s: %w", h.name, err)
			}
			most = max(most, held)
		}
	}
	t.print(s.out)
	verdict(s, fmt.Sprintf("memory held at most 3 times the text with default options (here %.2f)", usual), usual <= 3)
	verdict(s, fmt.Sprintf("the same in every row, all hot included (here %.2f)", most), most <= 3)
	return nil
}

// measureHolding adds a row to t and gives the bytes held as a multiple of the text.
func measureHolding(s *session, h holding, dir string, t *table, count int) (ratio float64, err error) {
	words := newCorpus(s.seed)
	defer runtime.KeepAlive(words) // it is in both measurements
	before, spansBefore := liveHeap()
	db, err := h.options.Open(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return 0, err
	}
	if !h.reopen {
		if err := rememberTexts(s, space, words, count); err != nil {
			return 0, err
		}
	}
	if h.seal && !h.reopen {
		if err := sealAll(s.ctx, space); err != nil {
			return 0, err
		}
	}
	settle() // a sealing may be under way
	after, spansAfter := liveHeap()
	stats, err := space.Stats(s.ctx)
	if err != nil {
		return 0, err
	}
	if stats.Memories != count {
		return 0, fmt.Errorf("%d memories are there, not %d", stats.Memories, count)
	}
	perText := (float64(after) - float64(before)) / float64(count)
	share := func(n int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(count)) }
	t.row(h.name, share(stats.Hot), share(stats.Warm),
		fmt.Sprintf("%.0f", perText), fmt.Sprintf("%.2f", perText/memorySize),
		fmt.Sprintf("%.0f", (float64(spansAfter)-float64(spansBefore))/float64(count)),
		mebibytes(float64(stats.IndexBytes)), mebibytes(float64(stats.SegmentBytes)))
	return perText / memorySize, nil
}

func rememberTexts(s *session, space *engram.Space, words *corpus, count int) error {
	for first := 0; first < count; first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, count); i++ {
			drafts = append(drafts, engram.Draft{Content: words.text(i, memorySize)})
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
	}
	return nil
}
