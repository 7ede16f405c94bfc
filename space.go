package engram

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Space is an isolated memory: nothing in one space is ever seen from another. It is a name, cheap to make and to
// keep, and safe for concurrent use. Every method that takes a context returns its error if it is done before the work
// begins; a write that was handed to the log is waited for, so that its outcome is known.
type Space struct {
	db   *DB
	name string
	// last is the handle of the last call, so that the usual call takes no lock.
	last atomic.Pointer[handle]
}

// Name is the space's name.
func (s *Space) Name() string { return s.name }

// Limits are those of the database that the space is in.
func (s *Space) Limits() Limits { return s.db.o.Limits }

// with runs fn on the open space, inside the boundary that turns a panic into this call's error.
func (s *Space) with(ctx context.Context, op string, create bool, fn func(*store.Space) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return isolate.Do(op, s.name, nil, func() error {
		h := s.last.Load()
		if h == nil || !h.acquire() {
			var err error
			if h, err = s.db.acquire(ctx, s.name, create); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
			s.last.Store(h)
		}
		defer h.release()
		return fn(h.space)
	})
}

// creating runs a write that may be the first of its space, which is made only if the write stores something: it is
// tried on an empty space in memory before. fn may be run twice.
func (s *Space) creating(ctx context.Context, op string, fn func(*store.Space) error) error {
	if s.last.Load() == nil && s.db.handles.get(s.name) == nil && !s.db.exists(s.name) && !s.db.isClosed() &&
		ctx.Err() == nil {
		stored := false
		err := s.rehearse(op, func(sp *store.Space) error {
			err := fn(sp)
			stored = sp.View().Position > 0
			return err
		})
		if err != nil || !stored {
			return err
		}
	}
	return s.with(ctx, op, true, fn)
}

// rehearse runs fn on an empty space in memory, which nobody else sees. Opening it is as opening any other, and told by
// Ready if it fails.
func (s *Space) rehearse(op string, fn func(*store.Space) error) error {
	o := s.db.storeOptions(s.name)
	o.FS, o.Dir, o.OnEvent, o.WantEvents = vfs.NewMem(), "/"+s.name, nil, nil
	var sp *store.Space
	err := isolate.Go("open", s.name, func() (err error) {
		sp, err = store.Open(o)
		return err
	})
	s.db.troubles.note(chore{s.name, "open"}, err)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer func() { _ = isolate.Go("close", s.name, sp.Close) }() // however that ends, nothing was to be kept
	return isolate.Do(op, s.name, nil, func() error { return fn(sp) })
}

// read runs fn on the space's current view.
func (s *Space) read(ctx context.Context, op string, fn func(*store.View) error) error {
	return s.with(ctx, op, s.name == DefaultSpace, func(sp *store.Space) error { return fn(sp.View()) })
}

// Stats describes the space as it is now.
func (s *Space) Stats(ctx context.Context) (SpaceStats, error) {
	var out SpaceStats
	now := s.db.o.Clock()
	err := s.with(ctx, "stats", s.name == DefaultSpace, func(sp *store.Space) error {
		st := sp.Stats()
		active, archived := st.View.Expired(now.UnixNano())
		out = SpaceStats{
			Space: s.name, Memories: st.Memories - active, Archived: st.Archived - archived, Expired: active + archived,
			Versions: st.Hot + st.Warm + st.Cold,
			Hot:      st.Hot, Warm: st.Warm, Cold: st.Cold, Vectors: st.Vectors, Dim: st.Dim, EmbeddingModel: st.Model,
			Links: st.LinkCount, Position: st.Position, Segments: st.Segments, LogBytes: st.LogBytes,
			SegmentBytes: st.SegmentBytes, IndexBytes: st.IndexBytes, HotBytes: st.HotBytes, Torn: st.Torn,
			TornFile: st.TornFile, Quarantined: st.Damaged, ColdBytes: st.ColdBytes, Cooled: st.Cooled,
			Warmed: st.Warmed,
		}
		if st.Model == "" {
			out.UnnamedVectors = st.Vectors
		}
		out.Reembedding = s.reembedding(&st.View)
		if st.ColdBodies > 0 {
			out.ColdRatio = float64(st.ColdRaw) / float64(st.ColdBodies)
		}
		dead, _ := sp.Fragmentation()
		out.ErasedVersions, out.ErasedBytes = dead.Rows, dead.Bytes
		out.Compaction, _ = s.db.compactor.works.told(s.name)
		out.Consolidation, _ = s.db.consolidations.told(s.name)
		out.Sealing = WorkStats{Running: st.Sealing.Running, Runs: st.Sealing.Runs, NextTry: st.Sealing.NextTry}
		if st.Sealing.Err != nil {
			out.Sealing.Error = st.Sealing.Err.Error()
		}
		earlier, err := sp.Earlier()
		if err != nil {
			return err
		}
		out.EarlierFiles, out.KeptAside = len(earlier), keptAside(sp)
		out.Budgets = s.db.budgets(sp)
		if st.ReadOnly != nil {
			out.ReadOnly = st.ReadOnly.Error()
		}
		for _, err := range s.db.health(s.name, sp) {
			out.Problems = append(out.Problems, err.Error())
		}
		return nil
	})
	return out, err
}

// Verify reads everything the space holds, checks every checksum, and checks what is kept in memory against it. It
// runs beside reads and writes. What it finds is in the report; the error is for what kept it from looking, such as
// the context's end.
func (s *Space) Verify(ctx context.Context) (VerifyReport, error) {
	return s.VerifyPaced(ctx, VerifyOptions{})
}

// Seal moves what the space holds in memory into a sealed, mapped segment now, as happens by itself when there is
// enough of it, and waits for the end of it. Answers are the same before and after.
func (s *Space) Seal(ctx context.Context) error {
	return s.with(ctx, "seal", false, func(sp *store.Space) error { return sp.Seal(ctx) })
}
