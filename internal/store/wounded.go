package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// A space with damage in what only its log holds is opened for reading alone. Each damaged record tells, apart from its
// operations and with a checksum of its own, which memories it was of: these are refused in every version, because what
// stands may be out of date, or gone, and all others are as they were. Nothing is written, so nothing has to be kept of
// that: `engram repair` saves what is whole. A record that does not tell refuses the space. docs/design/0018.

// logDamage is damage to the log that Rescue may get around.
type logDamage struct{ err error }

func (d *logDamage) Error() string { return d.err.Error() }
func (d *logDamage) Unwrap() error { return d.err }

func asLogDamage(err error) error {
	if errors.Is(err, codec.ErrCorrupt) {
		return &logDamage{err}
	}
	return err
}

// openWounded opens a space whose log is damaged, or gives why it was refused.
func openWounded(o Options, damage *logDamage, refusal error) (*Space, error) {
	s, err := open(o, func(s *Space) error { return s.rescue(damage.err) })
	if errors.Is(err, codec.ErrCorrupt) {
		return nil, errors.Join(refusal, err)
	}
	return s, err
}

// rescue applies what is whole of the log, and refuses the memories that the rest was of.
func (s *Space) rescue(cause error) error {
	view := s.staged
	s.view.Store(&view)
	r := rescue{s: s, of: map[uint64]error{}}
	log, err := wal.Rescue(s.logOptions(), wal.LSN(s.man.position), cause, r.frame, r.wreck)
	if err != nil {
		return err
	}
	s.log, s.wounded, s.doubted = log, true, map[uint32]error{}
	s.readOnly.set(fmt.Errorf("%w: its log is damaged: %w", ErrReadOnly, cause))
	for _, d := range r.sources {
		s.refuseBySource(d)
	}
	for _, hash := range r.order {
		s.refuseMemory(hash, r.of[hash])
	}
	return nil
}

// rescue is what is found out about the memories of damaged records.
type rescue struct {
	s     *Space
	of    map[uint64]error // why memories whose ids have a hash are refused
	order []uint64         // its keys, as they came
	last  error            // the last damage
	// sources are those of which it is not known how reliable they are.
	sources []doubtedSource
}

type doubtedSource struct {
	hash uint64 // of its name
	why  error
}

func (r *rescue) refuse(hash uint64, why error) {
	if _, known := r.of[hash]; !known {
		r.of[hash] = why
		r.order = append(r.order, hash)
	}
}

// refusesOneOf reports whether a memory that an op says something of is refused.
func (r *rescue) refusesOneOf(o op) bool {
	ids := o.of()
	return r.of[hashString(ids[0])] != nil || r.of[hashString(ids[1])] != nil
}

// frame applies a frame that is whole.
func (r *rescue) frame(lsn wal.LSN, payload []byte) error {
	ops, err := readFrame(payload, uint64(lsn))
	if err != nil {
		return fmt.Errorf("log record %d: %w", lsn, err)
	}
	return r.ops(lsn, ops)
}

// ops applies the ops of a frame. Behind damage those that cannot be applied any more leave their memories in doubt,
// too.
func (r *rescue) ops(lsn wal.LSN, ops []op) error {
	if r.last == nil {
		return r.s.applyOps(lsn, ops)
	}
	for _, o := range ops {
		err := r.s.salvageOp(uint64(lsn), o)
		if err == nil {
			continue
		}
		switch o.(type) {
		case *beginOp, *serveOp, *cancelOp, *modelOp:
			return fmt.Errorf("log record %d cannot be applied: %w: %w", lsn, err, r.last)
		case *linkOp, *unlinkOp:
			if r.refusesOneOf(o) {
				continue // nothing is told of the associations of a memory that is refused
			}
		}
		if errors.Is(err, errLost) && errors.Is(err, codec.ErrCorrupt) {
			r.s.refuseWrites(err)
		}
		for _, id := range o.of() {
			if id != "" {
				r.refuse(hashString(id), r.last)
			}
		}
	}
	return r.at(lsn)
}

// at moves the position to a frame's.
func (r *rescue) at(lsn wal.LSN) error {
	r.s.staged.Position = uint64(lsn)
	view := r.s.staged
	r.s.view.Store(&view)
	return nil
}

// wreck applies a damaged record whose operations are whole all the same, and else notes which memories it was of.
func (r *rescue) wreck(w wal.Wreck) error {
	ops, of, err := splitWreck(w)
	if err != nil {
		return errors.Join(w.Err, err)
	}
	r.s.tellLog(w.Err)
	if of == nil {
		return r.ops(w.LSN, ops)
	}
	r.last = w.Err
	if err := r.ops(w.LSN, ops); err != nil {
		return err
	}
	for _, hash := range of.memories {
		r.refuse(hash, w.Err)
	}
	for _, hash := range of.others {
		if hash == ofSettings && len(ops) == 0 {
			return fmt.Errorf("%w; it said which vectors the space goes by", w.Err)
		}
		if hash != ofSettings {
			r.sources = append(r.sources, doubtedSource{hash, w.Err})
		}
	}
	return nil
}

// splitWreck gives the ops of a damaged record, or what they were of and those among them that are known all the same:
// by which the whole space goes. What the record itself does not tell was told again elsewhere, or err says that it was
// not.
func splitWreck(w wal.Wreck) (ops []op, of *touched, err error) {
	const padding = 8 // where its length is not known up to seven zeros may follow it
	err = codec.ErrShort
	for cut := range min(padding, len(w.Bytes)) {
		b := w.Bytes[:len(w.Bytes)-cut]
		var whole []byte
		whole, of, err = splitFrame(b, seedOf(uint64(w.LSN)))
		if err != nil && w.Old { // or a frame of an earlier version
			whole, of, err = splitFrame(b, frameSeed)
		}
		if whole != nil {
			ops, err = readOps(codec.NewDecoder(whole[1:]))
			return ops, nil, err
		}
		if err == nil || w.Exact {
			break
		}
	}
	if len(w.Note) > 0 {
		of, ops, err = readFrameNote(w.Note)
	}
	return ops, of, err
}

// tellLog notes damage to the log, for Stats and Verify.
func (s *Space) tellLog(err error) {
	s.noteDamage(err)
	s.logTold = append(s.logTold, err)
}

// refuseMemory makes every memory whose id has a hash say why it may be out of date. One that is not there may have
// been made by the damaged record: it gets a place, so that asking for it, or for all, says the same.
func (s *Space) refuseMemory(hash uint64, why error) {
	var entries []uint32
	s.t.ids.Find(hash, func(entry uint32) bool {
		f := s.t.found(entry, maxPosition)
		if got, ok := s.hashOf(f); s.t.wanted(entry) && !f.state.erased && (!ok || got == hash) {
			entries = append(entries, entry)
		}
		return false
	})
	for _, entry := range entries {
		s.doubtEntry(entry, why)
	}
	if len(entries) == 0 {
		s.doubtNew(hash, why)
	}
	view := s.staged
	s.view.Store(&view)
}

// refuseBySource refuses every memory whose confidence follows from how reliable a source is.
func (s *Space) refuseBySource(d doubtedSource) {
	for row := range s.staged.Rows {
		if s.t.ends.End(row) == 0 || s.doubted[row] != nil {
			continue // void, or refused already
		}
		facts := s.t.facts.At(row)
		if !math.IsNaN(float64(facts.Odds)) {
			continue // its writer said how sure it is
		}
		var name string
		if facts.Source != noSource {
			name = s.t.sources.name(facts.Source)
		} else if r, err := s.view.Load().Record(row); err == nil {
			name = r.Source
		}
		if entry := facts.Entry; hashString(name) == d.hash && !s.t.state(entry, maxPosition).erased {
			s.doubtEntry(entry, d.why)
		}
	}
	view := s.staged
	s.view.Store(&view)
}

// doubtEntry refuses all versions of a memory, which counts as neither archived nor replaced.
func (s *Space) doubtEntry(entry uint32, why error) {
	old := s.t.state(entry, maxPosition)
	rows := old.fate.versions
	if rows == nil {
		rows = []uint32{old.row}
	}
	for _, row := range rows {
		s.uncount(row)
		s.doubtRow(row, entry, why)
	}
	if old.fate.archivedAt != NoTime {
		s.staged.Archived--
		s.staged.Memories++
	}
	st := old.change(s.staged.Position)
	own := *noFate
	own.versions = rows
	st.fate = &own
	s.t.states.At(entry).p.Store(st)
}

// uncount takes a row out of the counts of current rows, if it is among them.
func (s *Space) uncount(row uint32) {
	tokens, position := int64(s.t.words.Length(row)), s.staged.Position
	current := s.t.ends.Alive(row, position)
	known := current
	if all := s.t.known.Load(); all != nil {
		known = all.Alive(row, position)
	}
	if known {
		s.staged.KnownDocs--
		s.staged.KnownTokens -= tokens
	}
	if !current {
		return
	}
	s.staged.Docs--
	s.staged.Tokens -= tokens
	if s.staged.HasVector(row) {
		s.staged.Vectors--
	}
}

// doubtNew makes a memory of which nothing is known but the hash of its id.
func (s *Space) doubtNew(hash uint64, why error) {
	const behind = 1 << 31 // all of the last frame, so that rows stay in the order of their places
	at := segment.Identity{LSN: s.staged.Position, Index: behind + s.nextEntry}
	row := s.hot.base + s.hot.seg.Add(at, hash, nil, nil)
	s.t.needed.Grow(row + 1)
	s.staged.Rows = row + 1
	entry := s.newDamaged(row)
	s.doubtRow(row, entry, why)
	s.t.ids.Insert(hash, entry, s.t.wanted)
}

// doubtRow is place for a row that is whole and not believed.
func (s *Space) doubtRow(row, entry uint32, why error) {
	s.doubted[row] = why
	s.t.facts.Set(row, recall.Facts{
		Entry: entry, OccurredAt: NoTime, ValidFrom: NoTime, ValidUntil: NoTime, ExpiresAt: NoTime,
	})
	s.unread.set(row, true)
	s.t.recorded.Set(row, NoTime)
	s.t.setEnd(row, 1)
}

// doubt is why a row is refused although it is whole; nil, and quick, for nearly every space.
func (s *Space) doubt(row uint32) error {
	if s.doubted == nil {
		return nil
	}
	return s.doubted[row]
}
