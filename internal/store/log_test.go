package store_test

import (
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/wal"
)

// memLog is a log that is a list.
type memLog struct {
	mu     sync.Mutex
	first  wal.LSN // of frames[0]
	frames [][]byte
}

var _ store.Log = (*memLog)(nil)

func (l *memLog) open(after wal.LSN, apply func(wal.LSN, []byte) error) (store.Log, wal.Recovery, error) {
	if len(l.frames) == 0 {
		l.first = after + 1
	}
	for i, frame := range l.frames {
		if lsn := l.first + wal.LSN(i); lsn > after {
			if err := apply(lsn, frame); err != nil {
				return nil, wal.Recovery{}, err
			}
		}
	}
	return l, wal.Recovery{}, nil
}

func (l *memLog) Append(frame []byte) (wal.LSN, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, append([]byte(nil), frame...))
	return l.first + wal.LSN(len(l.frames)) - 1, nil
}

func (l *memLog) Read(from wal.LSN) iter.Seq2[wal.Record, error] {
	return func(yield func(wal.Record, error) bool) {
		l.mu.Lock()
		first, frames := l.first, l.frames
		l.mu.Unlock()
		if from < first {
			yield(wal.Record{}, wal.ErrTrimmed)
			return
		}
		for i, frame := range frames[from-first:] {
			if !yield(wal.Record{LSN: from + wal.LSN(i), Payload: frame}, nil) {
				return
			}
		}
	}
}

func (l *memLog) Trim(before wal.LSN) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames, l.first = l.frames[before-l.first:], before
	return nil
}

func (l *memLog) Rotate() (wal.LSN, error) { return l.Stats().Last, nil }

func (l *memLog) Stats() wal.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.first + wal.LSN(len(l.frames)) - 1
	return wal.Stats{First: l.first, Last: last, Durable: last}
}

func (l *memLog) Drop(before wal.LSN) (bool, error) { return false, l.Trim(before) }
func (l *memLog) Commit(wal.LSN) error              { return nil }
func (l *memLog) Announce()                         {}
func (l *memLog) Retract()                          {}
func (l *memLog) Err() error                        { return nil }
func (l *memLog) Full() error                       { return nil }
func (l *memLog) Close() error                      { return nil }

// TestAnyLogWillDo: a space that is given a log of another make, here a list in memory, holds what it must, before and
// after sealings that trim the list and openings that replay it, and writes no log of its own.
func TestAnyLogWillDo(t *testing.T) {
	fsys := newFS(t)
	log := &memLog{}
	elsewhere := func(o *store.Options) { o.OpenLog = log.open }
	s := mustOpen(t, fsys, elsewhere)
	b := newBook()
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	trimmed := false
	for round := range 12 {
		for range 10 {
			b.do(t, s, b.random(rng))
		}
		if round%3 == 1 {
			mustSeal(t, s)
			trimmed = trimmed || len(log.frames) == 0
		}
		b.holds(t, "written", s)
		mustClose(t, s)
		s = mustOpen(t, fsys, elsewhere)
		b.holds(t, "opened", s)
	}
	if !trimmed {
		t.Error("no sealing trimmed the log")
	}
	mustClose(t, s)
	for _, name := range fsys.Files() {
		if strings.HasSuffix(name, ".wal") {
			t.Errorf("there is %s", name)
		}
	}
}
