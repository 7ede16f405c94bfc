package engram

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// Archiving by capacity.
const (
	// slackShare is the share of Options.MaxMemories, one in so many, that is archived beyond what must go, so that not
	// every write goes through the whole space. Chosen.
	slackShare = 100
	// maxMadeRoom bounds what one write archives beyond what it brings, and with it the frame in the log: of ids of 128
	// bytes some 3 MiB. It matters only in a space that held far more when the limit was set. Chosen.
	maxMadeRoom = 20_000
)

// errFull is matched by the refusal of a write for which no room can be made.
var errFull = fmt.Errorf("the space is full: %w", ErrTooLarge)

// makeRoom archives the memories of least worth if the write, all of it staged by now, makes the space hold more active
// ones than Options.MaxMemories. Pinned memories stay, and what the write itself brings.
func (s *Space) makeRoom(tx *store.Tx, now time.Time) error {
	most, held, grown := s.db.o.MaxMemories, tx.View().Memories, tx.Grown()
	if most == 0 || held <= most || grown <= 0 {
		return nil
	}
	step := max(grown, maxMadeRoom)
	must := min(held-most, step)
	least := &least{room: min(must+most/slackShare, step)}
	if err := least.choose(tx, now, s.model()); err != nil {
		return err
	}
	if found := len(least.found); found < must {
		tx.NoteRoom(found + least.passed)
		return tooFew(most, held, found)
	}
	tx.Reason(fmt.Sprintf("max_memories: the space holds at most %d active memories", most))
	for _, m := range least.found {
		if err := isolate.Fault("engram/room"); err != nil {
			return err
		}
		if err := tx.Archive(m.id, now.UnixNano()); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses a write that would store so many more memories than there are, if it is known that no room can be made
// for them: before anything is staged.
func (s *Space) fits(tx *store.Tx, more int) error {
	most, held := s.db.o.MaxMemories, tx.View().Memories+more
	room, known := tx.Room()
	if most == 0 || more <= 0 || !known || room >= min(held-most, max(more, maxMadeRoom)) {
		return nil
	}
	return tooFew(most, held, room)
}

func tooFew(most, held, room int) error {
	return fmt.Errorf("max_memories is %d, and the space would have %d active memories, of which only %d can be "+
		"archived; the others are pinned or part of this write: unpin, archive or erase some, or raise the limit: %w",
		most, held, room, errFull)
}

// least are the memories of least worth met so far, at most room of them after cut.
type least struct {
	room   int
	passed int // memories passed over that another write may archive
	found  []valued
}

type valued struct {
	id    string
	rank  int // of what it is: what has expired goes first, then what was replaced
	worth float64
	links int
}

// The ranks.
const (
	rankExpired = iota
	rankReplaced
	rankStanding
)

// choose goes through all memories that may be archived.
func (l *least) choose(tx *store.Tx, now time.Time, m *dynamics.Model) (err error) {
	tx.View().Scan(0, func(_ uint32, f store.Found) bool {
		if f.Archived() {
			return true
		}
		if tx.Brought(f) {
			if !tx.Made(f) {
				l.passed++
			}
			return true
		}
		var r *store.Record
		r, err = tx.Record(f.Row)
		if errors.Is(err, ErrCorrupt) {
			err = nil // whether it is pinned cannot be told, so it stays
			return true
		}
		if err != nil {
			return false
		}
		if !r.Pin {
			l.add(valued{
				id: r.ID, rank: rankOf(f, r, now), worth: worth(tx, f, r, now, m), links: tx.View().Degree(f),
			})
		}
		return true
	})
	l.cut()
	return err
}

// add keeps the list below twice the room, so that choosing takes the room's memory, not the space's.
func (l *least) add(v valued) {
	if l.found = append(l.found, v); len(l.found) >= 2*l.room {
		l.cut()
	}
}

// cut leaves the memories of least rank and worth, least first; of equal ones those with fewer associations, and of
// these those with the lesser ids. A memory's share of all associations is no term of its worth: in a space of a size
// that wants a limit it is some thousandths, even for a hub, and decides between equals alone.
func (l *least) cut() {
	slices.SortFunc(l.found, func(a, b valued) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.worth, b.worth), cmp.Compare(a.links, b.links),
			strings.Compare(a.id, b.id))
	})
	l.found = l.found[:min(len(l.found), l.room)]
}

// rankOf is what a memory goes by before its worth. One that was replaced is found by questions of the past alone,
// however often it was of use before.
func rankOf(f store.Found, r *store.Record, now time.Time) int {
	switch {
	case expired(r.ExpiresAt, now):
		return rankExpired
	case f.SupersededBy() != "":
		return rankReplaced
	}
	return rankStanding
}

// worth is what a memory is kept by, in nats: its base level, which is the logarithm of the odds that it is needed,
// plus the logarithm of the probability that it is true.
func worth(tx *store.Tx, f store.Found, r *store.Record, now time.Time, m *dynamics.Model) float64 {
	st, touched := f.State()
	if !touched {
		st = untouched(tx.View(), f, r, m).State
	}
	return m.Base(&st, now.UnixNano()) + st.Tally.LogProbability()
}
