package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	engram "github.com/orchard9/engram-go"
)

// start is day 0 of all experiments.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// at is an instant some days after the start.
func at(days float64) time.Time { return start.Add(time.Duration(days * 24 * float64(time.Hour))) }

// bench is where experiments are made: databases whose clock they set, one for each set of mechanisms that are off.
type bench struct {
	ctx       context.Context
	dir       string
	dbs       map[string]*engram.DB // by what they are without
	clock     atomic.Int64          // nanoseconds: a database may read it at any time
	spaces    int
	dataDir   string
	published *published
	gaps      map[string]*gapSpace
	reported  []reported          // of K2, which is played once
	updates   map[string][]update // of completions, which are made once; by what they are without
}

func newBench(ctx context.Context, dir, dataDir string) (*bench, error) {
	p, err := loadPublished()
	if err != nil {
		return nil, err
	}
	b := &bench{
		ctx: ctx, dir: dir, dataDir: dataDir, published: p, dbs: map[string]*engram.DB{},
		updates: map[string][]update{}, gaps: map[string]*gapSpace{},
	}
	b.clock.Store(start.UnixNano())
	return b, nil
}

// open opens a database of the bench's that is without some mechanisms.
func (b *bench) open(name string, without ...string) (*engram.DB, error) {
	return engram.Options{
		Clock:      func() time.Time { return time.Unix(0, b.clock.Load()).UTC() },
		Compaction: engram.BackgroundCompaction{ErasedShare: -1},
		Without:    without,
	}.Open(filepath.Join(b.dir, name))
}

func (b *bench) close() (err error) {
	for _, db := range b.dbs {
		err = errors.Join(err, db.Close())
	}
	return err
}

// space makes an empty space, at day 0, in a database that is without some mechanisms.
func (b *bench) space(without ...string) (*subject, error) {
	name := strings.Join(append([]string{"without"}, without...), "-")
	if b.dbs[name] == nil {
		db, err := b.open(name, without...)
		if err != nil {
			return nil, err
		}
		b.dbs[name] = db
	}
	return b.spaceIn(b.dbs[name])
}

func (b *bench) spaceIn(db *engram.DB) (*subject, error) {
	b.spaces++
	b.clock.Store(start.UnixNano())
	s, err := db.Space(fmt.Sprintf("lab-%d", b.spaces))
	if err != nil {
		return nil, err
	}
	return &subject{b: b, s: s}, nil
}

// subject is a space that an experiment is made with. The first error stays: check err at the end.
type subject struct {
	b   *bench
	s   *engram.Space
	err error
}

// day sets the clock.
func (s *subject) day(d float64) { s.b.clock.Store(at(d).UnixNano()) }

func (s *subject) keep(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *subject) remember(d engram.Draft) {
	if s.err == nil {
		_, err := s.s.Remember(s.b.ctx, d)
		s.keep(err)
	}
}

func (s *subject) rememberAll(drafts []engram.Draft) {
	const most = 1000 // the API's batch
	for len(drafts) > 0 && s.err == nil {
		n := min(most, len(drafts))
		_, err := s.s.RememberBatch(s.b.ctx, drafts[:n])
		s.keep(err)
		drafts = drafts[n:]
	}
}

func (s *subject) feedback(f engram.Feedback) {
	if s.err == nil {
		_, err := s.s.Feedback(s.b.ctx, f)
		s.keep(err)
	}
}

func (s *subject) get(id string) engram.Memory {
	if s.err != nil {
		return engram.Memory{}
	}
	m, err := s.s.Get(s.b.ctx, id)
	s.keep(err)
	return m
}

// use is how a memory was used; one of which nothing was said is an error.
func (s *subject) use(id string) engram.Usage {
	m := s.get(id)
	if s.err != nil || m.Use == nil {
		s.keep(fmt.Errorf("memory %s has no record of use", id))
		return engram.Usage{}
	}
	return *m.Use
}

// show makes a memory's state visible without touching its strength: somebody doubts it.
func (s *subject) show(id string) {
	s.feedback(engram.Feedback{Wrong: []string{id}, Source: "lab"})
}

func (s *subject) recall(q engram.Cue) engram.Answer {
	if s.err != nil {
		return engram.Answer{}
	}
	a, err := s.s.Recall(s.b.ctx, q)
	s.keep(err)
	return a
}

// spreading lets activation spread over explicit associations.
func (s *subject) spreading(from ...string) engram.Spreading {
	if s.err != nil {
		return engram.Spreading{}
	}
	const most = 1000
	over := []string{engram.DefaultLinkType}
	found, err := s.s.Spread(s.b.ctx, engram.SpreadRequest{IDs: from, Limit: most, Types: over})
	s.keep(err)
	return found
}

// spread is the activation of the memories that it comes to.
func (s *subject) spread(from ...string) map[string]float64 {
	pi := map[string]float64{}
	for _, m := range s.spreading(from...).Memories {
		pi[m.ID] = m.Pi
	}
	return pi
}

func (s *subject) complete(p engram.Partial) engram.Completion {
	if s.err != nil {
		return engram.Completion{}
	}
	c, err := s.s.Complete(s.b.ctx, p)
	s.keep(err)
	return c
}
