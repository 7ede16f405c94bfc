package engram

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
)

// Get reads a memory with its embedding and its links, archived and superseded ones included. A memory that does not
// exist or has expired is ErrNotFound; one whose bytes are damaged is a *CorruptError.
func (s *Space) Get(ctx context.Context, id string) (Memory, error) {
	var m Memory
	err := s.read(ctx, "get", func(v *store.View) error {
		var r store.Record
		now := s.db.o.Clock()
		f, err := v.Get(id, store.Day(now.UnixNano()), &r)
		if errors.Is(err, ErrNotFound) || err == nil && expired(r.ExpiresAt, now) {
			return notFound(id)
		}
		if err != nil {
			return err
		}
		return m.setWhole(v, f, &r, s.lens(now))
	})
	if err == nil {
		return m, nil
	}
	c := &checks{} // only now: an id that is not valid finds nothing
	if c.id("id", id); c.err != nil {
		err = c.err
	}
	return Memory{}, err
}

// GetAt reads a memory as the space knew it at asOf: the version of then with its embedding, archived or replaced only
// if it was so then. A memory that was stored later, was erased or has expired, is ErrNotFound. Links and Reinforced,
// which have no dates, are left out. A zero asOf is refused: Get reads what is known now.
func (s *Space) GetAt(ctx context.Context, id string, asOf time.Time) (Memory, error) {
	if err := checkAsOf(asOf); err != nil {
		return Memory{}, err
	}
	var m Memory
	err := s.found(ctx, "get", id, func(v *store.View, f store.Found) (err error) {
		m, err = s.memoryAt(v, f, id, asOf)
		v.Need(s.db.today(), f.Row)
		if err == nil {
			err = m.setVector(v, f.Row)
		}
		return err
	})
	if err != nil {
		return Memory{}, err
	}
	return m, nil
}

func checkAsOf(asOf time.Time) error {
	c := &checks{}
	if asOf.IsZero() {
		c.fail("as_of", "missing", "say as of when")
	}
	c.time("as_of", asOf)
	return c.err
}

// History reads every version of a memory, oldest first, each with its embedding; the last is the one that Get gives.
func (s *Space) History(ctx context.Context, id string) ([]Memory, error) {
	var out []Memory
	err := s.found(ctx, "history", id, func(v *store.View, f store.Found) (err error) {
		if err := v.Whole(f); err != nil {
			return err
		}
		out, err = history(v, f, s.lens(s.db.o.Clock()), s.db.o.Limits.Result)
		v.Need(s.db.today(), v.Versions(f)...)
		return err
	})
	return out, err
}

// found runs fn on a memory that exists and has not expired.
func (s *Space) found(ctx context.Context, op, id string, fn func(*store.View, store.Found) error) error {
	c := &checks{}
	if c.id("id", id); c.err != nil {
		return c.err
	}
	now := s.db.o.Clock()
	return s.read(ctx, op, func(v *store.View) error {
		f, err := living(v, id, now)
		if err != nil {
			return err
		}
		return fn(v, f)
	})
}

// wholeMemory is the current version with embedding and links.
func wholeMemory(v *store.View, f store.Found, at lens) (Memory, error) {
	r, err := v.Record(f.Row)
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	if err := m.setWhole(v, f, r, at); err != nil {
		return Memory{}, err
	}
	return m, nil
}

// setWhole makes m the current version r with embedding and links.
func (m *Memory) setWhole(v *store.View, f store.Found, r *store.Record, at lens) (err error) {
	m.setCurrent(v, f, r, at)
	if err = m.setVector(v, f.Row); err != nil {
		return err
	}
	m.Links, err = associations(v, f, at.now)
	return err
}

// setVector gives m the vector of its row, and the name of what made it.
func (m *Memory) setVector(v *store.View, row uint32) (err error) {
	if m.Embedding, err = ownVector(v, row); m.Embedding != nil {
		m.EmbeddingModel = v.Model
	}
	return err
}

// ownVector is a copy of a row's vector for the caller to keep.
func ownVector(v *store.View, row uint32) ([]float32, error) {
	vector, err := v.Vector(row)
	if err != nil || vector == nil {
		return nil, err
	}
	return append(make([]float32, 0, len(vector)), vector...), nil
}

func history(v *store.View, f store.Found, at lens, most int) ([]Memory, error) {
	rows, size := v.Versions(f), result{most: most}
	out := make([]Memory, 0, len(rows))
	for _, row := range rows[:len(rows)-1] {
		r, err := v.Record(row)
		if err != nil {
			return nil, err
		}
		if err := size.add(r.Content); err != nil {
			return nil, err
		}
		m := memoryOf(v, f, r)
		m.Tier = tierOf(v, row)
		if err = m.setVector(v, row); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	m, err := wholeMemory(v, f, at)
	return append(out, m), err
}

// All yields every active memory, with embedding and links, in the order in which they were first stored, as of the
// moment when the iteration begins. A damaged memory is yielded as an error, and the iteration goes on behind it. A
// panic in the loop's body goes to the loop's caller as it is.
func (s *Space) All(ctx context.Context) iter.Seq2[Memory, error] {
	return outside(func(yield func(Memory, error) bool) {
		now := s.db.o.Clock()
		err := s.read(ctx, "list", func(v *store.View) error {
			var stop error
			v.Scan(0, func(_ uint32, f store.Found) bool {
				if stop = ctx.Err(); stop != nil {
					return false
				}
				if f.Archived() || expired(v.ExpiresAt(f.Row), now) {
					return true
				}
				return yield(wholeMemory(v, f, s.lens(now)))
			})
			return stop
		})
		if err != nil {
			yield(Memory{}, err)
		}
	})
}

// outside gives what seq gives, with the loop's body outside the boundary that seq runs in: a panic of the body is its
// caller's and no error of the space.
func outside[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next, stop := iter.Pull2(seq)
		defer stop()
		for {
			v, err, ok := next()
			if !ok || !yield(v, err) {
				return
			}
		}
	}
}

// List gives active memories, with embedding and links, a page at a time, in the order in which they were first
// stored. cursor "" begins; Page.Next continues, also after a restart, and skips nothing that existed all the while.
// limit is 1 to Limits.Hits; 0 means 100. A damaged memory is left out and named in Page.Damaged.
func (s *Space) List(ctx context.Context, cursor string, limit int) (Page, error) {
	most := s.db.o.Limits.Hits
	if limit < 0 || limit > most {
		return Page{}, &InvalidError{
			Field: "limit", Value: strconv.Itoa(limit), Allowed: fmt.Sprintf("use 1 to %d", most),
		}
	}
	if limit == 0 {
		limit = min(100, most)
	}
	after, err := decodeCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	now := s.db.o.Clock()
	page := Page{Memories: []Memory{}}
	size := 0
	err = s.read(ctx, "list", func(v *store.View) (err error) {
		var last uint32
		v.Scan(v.EntryAfter(after), func(entry uint32, f store.Found) bool {
			if f.Archived() || expired(v.ExpiresAt(f.Row), now) {
				return true
			}
			if len(page.Memories) == limit {
				page.Next, err = encodeCursor(v, last)
				return false
			}
			m, readErr := wholeMemory(v, f, s.lens(now))
			if errors.Is(readErr, ErrCorrupt) {
				page.Damaged = tellDamage(page.Damaged, readErr)
				return true
			}
			if err = readErr; err != nil {
				return false
			}
			if size += len(m.Content); size > s.db.o.Limits.Result && len(page.Memories) > 0 {
				page.Next, err = encodeCursor(v, last)
				return false
			}
			page.Memories = append(page.Memories, m)
			last = entry
			return true
		})
		if lost := v.Lost(); lost != nil && cursor == "" {
			page.Damaged = tellDamage(page.Damaged, lost)
		}
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// A cursor is the identity of a memory's first row: it means the same in every process.
func encodeCursor(v *store.View, entry uint32) (string, error) {
	id, err := v.FirstIdentity(entry)
	if err != nil {
		return "", err
	}
	b := binary.BigEndian.AppendUint64(nil, id.LSN)
	b = binary.BigEndian.AppendUint32(b, id.Index)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func decodeCursor(cursor string) (segment.Identity, error) {
	if cursor == "" {
		return segment.Identity{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != 12 {
		return segment.Identity{}, &InvalidError{
			Field: "cursor", Value: quote(cursor), Allowed: "use next_cursor of the page before, or leave it out",
		}
	}
	return segment.Identity{LSN: binary.BigEndian.Uint64(b), Index: binary.BigEndian.Uint32(b[8:])}, nil
}
