package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// wordy is a memory with a text that packs well.
func (b *book) wordy(id string) action {
	a := b.put(id)
	a.version.Record.Content += strings.Repeat(" and what was said of it again and again", 20)
	return a
}

// threeSegments stores memories m0 to m299, a hundred in each segment.
func threeSegments(t *testing.T, s *store.Space, b *book) {
	t.Helper()
	for i := range 300 {
		b.do(t, s, b.wordy(fmt.Sprint("m", i)))
		if i%100 == 99 {
			mustSeal(t, s)
		}
	}
}

// hasTiers compares the tiers of the segments that begin at every hundredth row.
func hasTiers(t *testing.T, what string, s *store.Space, tiers ...segment.Tier) {
	t.Helper()
	for i, want := range tiers {
		if got := s.View().Tier(uint32(i * 100)); got != want {
			t.Errorf("%s: rows from %d on are %v, want %v", what, i*100, got, want)
		}
	}
}

// TestGotIsNeeded keeps a segment warm of which enough was got, by ids, and by nothing else; also behind a restart, and
// where what was got is a later version, in another segment.
func TestGotIsNeeded(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	threeSegments(t, s, b)
	mustMove(t, s, store.MoveOptions{Today: 100, Since: 70}) // the first look
	get := func(day uint32, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			var r store.Record
			if _, err := s.View().Get(fmt.Sprint("m", i), day, &r); err != nil || r.ID != fmt.Sprint("m", i) {
				t.Fatalf("Get m%d = %q, %v", i, r.ID, err)
			}
		}
	}
	get(131, 0, 50)
	get(0, 100, 200) // without a day nothing is noted
	get(131, 200, 202)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	mustMove(t, s, store.MoveOptions{Today: 132, Since: 102})
	hasTiers(t, "got", s, segment.Warm, segment.Cold, segment.Cold)
	// A later version is what is got: its own segment is needed, and that of the old one is not for it.
	for i := range 50 {
		b.do(t, s, b.wordy(fmt.Sprint("m", i)))
	}
	mustSeal(t, s)
	get(200, 0, 50)
	mustMove(t, s, store.MoveOptions{Today: 201, Since: 171})
	hasTiers(t, "later versions got", s, segment.Cold, segment.Cold, segment.Cold, segment.Warm)
	verified(t, s)
	mustClose(t, s)
}

// TestMoves moves segments by what was needed of them: what was not becomes cold and smaller, is found and got as
// before, and becomes warm again when it is needed; in between it stays where it is.
func TestMoves(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	rows := func(from, to int) (list []uint32) {
		for i := from; i < to; i++ {
			list = append(list, uint32(i))
		}
		return list
	}
	threeSegments(t, s, b)
	check := func(what string, tiers ...segment.Tier) {
		t.Helper()
		b.holds(t, what, s)
		verified(t, s)
		hasTiers(t, what, s, tiers...)
	}
	const warm, cold = segment.Warm, segment.Cold
	before := recalled(s.View())
	// On the first look nothing is known, and counts as needed that day.
	if r := mustMove(t, s, store.MoveOptions{Today: 100, Since: 70}); r.Cooled+r.Warmed > 0 {
		t.Errorf("the first Move = %+v, want nothing moved", r)
	}
	if r := mustMove(t, s, store.MoveOptions{Today: 130, Since: 100}); r.Cooled+r.Warmed > 0 {
		t.Errorf("Move 30 days later = %+v, want nothing moved: the first look counts", r)
	}
	// Then what was not needed for 30 days moves: all of the first segment but two rows, three rows of the second, all
	// of the third.
	s.View().Need(131, 0, 1)
	s.View().Need(120, rows(100, 103)...)
	s.View().Need(131, rows(200, 300)...)
	bytes := s.Stats().SegmentBytes
	r := mustMove(t, s, store.MoveOptions{Today: 131, Since: 101})
	if r.Cooled != 1 || r.Warmed != 0 || r.Written != 1 || r.BytesAfter >= r.BytesBefore {
		t.Errorf("Move = %+v, want one segment moved and smaller", r)
	}
	check("the first moved", cold, warm, warm)
	if st := s.Stats(); st.Cold != 100 || st.Warm != 200 || st.ColdSegments != 1 || st.Cooled != 1 || st.Warmed != 0 ||
		st.ColdRaw < 2*st.ColdBodies || st.SegmentBytes >= bytes || st.ColdBytes <= st.ColdBodies {
		t.Errorf("Stats = %+v", st)
	}
	if diff := changed(before, recalled(s.View())); diff != "" {
		t.Errorf("recall: %s", diff)
	}
	// A restart knows it all.
	mustClose(t, s)
	s = mustOpen(t, fsys)
	check("reopened", cold, warm, warm)
	if r := mustMove(t, s, store.MoveOptions{Today: 131, Since: 101}); r.Cooled+r.Warmed > 0 {
		t.Errorf("Move again = %+v, want nothing moved", r)
	}
	// Ten of a hundred are too few to come back for, eleven are not.
	s.View().Need(140, rows(0, 10)...)
	if r := mustMove(t, s, store.MoveOptions{Today: 140, Since: 110}); r.Cooled+r.Warmed > 0 {
		t.Errorf("Move with ten rows needed = %+v, want nothing moved", r)
	}
	s.View().Need(140, 10)
	if r := mustMove(t, s, store.MoveOptions{Today: 140, Since: 110}); r.Cooled != 0 || r.Warmed != 1 {
		t.Errorf("Move with eleven rows needed = %+v, want one segment back", r)
	}
	check("back", warm, warm, warm)
	// Use counts as need, although nobody noted it.
	for i := range 3 {
		b.do(t, s, action{kind: "judge", id: fmt.Sprint("m", 200+i), count: 150, at: 0}) // used on day 150
	}
	s.View().Need(200, rows(0, 100)...)
	if r := mustMove(t, s, store.MoveOptions{Today: 200, Since: 151}); r.Cooled != 1 {
		t.Errorf("Move = %+v, want one segment moved", r)
	}
	check("used", warm, cold, warm)
	if r := mustMove(t, s, store.MoveOptions{Today: 200, Since: 152}); r.Cooled != 1 {
		t.Errorf("Move = %+v, want another segment moved", r)
	}
	check("used too long ago", warm, cold, cold)
	// Erasing from a cold segment, and compacting, leaves it cold.
	b.do(t, s, action{kind: "erase", id: "m150"})
	if r := mustCompact(t, s); r.Dropped != 1 || r.Cooled+r.Warmed > 0 {
		t.Errorf("Compact = %+v, want one row dropped and no moves", r)
	}
	check("compacted", warm, cold, cold)
	mustMove(t, s, toWarm)
	check("all warm", warm, warm, warm)
	mustClose(t, s)
}

// TestOldViewAcrossMoves holds views over moves: each is shown what it was shown, to the last bit, also while the files
// of its time have no names any more.
func TestOldViewAcrossMoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "space")
	s := mustOpen(t, vfs.OS{}, func(o *store.Options) { o.Dir = dir })
	b := newBook()
	type moment struct {
		v      *store.View
		b      *book
		recall []string
	}
	var held []moment
	for i, o := range []store.MoveOptions{toCold, toWarm, toCold, toCold, toWarm} {
		for k := range 6 {
			b.do(t, s, b.wordy(fmt.Sprint("m", i*3+k)))
		}
		mustSeal(t, s)
		held = append(held, moment{s.View(), b.clone(), recalled(s.View())})
		mustMove(t, s, o)
		held = append(held, moment{s.View(), b.clone(), recalled(s.View())})
		b.do(t, s, action{kind: "erase", id: fmt.Sprint("m", i*3+4)})
		mustCompact(t, s)
		runtime.GC()
		for n, m := range held {
			if diff := m.b.differs(m.v); diff != "" {
				t.Fatalf("after move %d the view %d shows: %s", i, n, diff)
			}
			if diff := changed(m.recall, recalled(m.v)); diff != "" {
				t.Fatalf("after move %d the view %d recalls: %s", i, n, diff)
			}
		}
	}
	mustClose(t, s)
}

// TestReadersBesideMoves reads all the time while segments go to and fro: every answer is right for its view.
func TestReadersBesideMoves(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "space")
	s := mustOpen(t, vfs.OS{}, func(o *store.Options) { o.Dir = dir }) // real mappings and descriptors
	b := newBook()
	for i := range 40 {
		b.do(t, s, b.wordy(fmt.Sprint("stays", i)))
		if i%9 == 8 {
			mustSeal(t, s)
		}
	}
	want := recalled(s.View())
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				if diff := b.differs(s.View()); diff != "" {
					t.Errorf("a reader sees: %s", diff)
					return
				}
				if diff := changed(want, recalled(s.View())); diff != "" {
					t.Errorf("recall: %s", diff)
					return
				}
				v := s.View()
				v.Need(7, 0, 5, v.Rows-1, v.Rows+5)
			}
		})
	}
	for i := range 12 {
		mustMove(t, s, []store.MoveOptions{toCold, toWarm}[i%2])
		runtime.GC()
	}
	stop.Store(true)
	wg.Wait()
	b.holds(t, "at the end", s)
	verified(t, s)
	mustClose(t, s)
}

// TestMoveLeavesDamage: a damaged segment stays in its tier, is told of, and is not copied.
func TestMoveLeavesDamage(t *testing.T) {
	for _, first := range []store.MoveOptions{toWarm, toCold} {
		fsys := newFS(t)
		s := mustOpen(t, fsys)
		b := newBook()
		b.do(t, s, b.wordy("a"), b.wordy("bb"))
		mustSeal(t, s)
		mustMove(t, s, first)
		i := slices.IndexFunc(fsys.Files(), func(name string) bool { return filepath.Ext(name) == ".seg" })
		path := fsys.Files()[i]
		raw, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		err = fsys.Corrupt(path, int64(binary.LittleEndian.Uint64(raw[64+40:])-2), 1)
		if err != nil { // in the last body
			t.Fatal(err)
		}
		tier := s.View().Tier(0)
		next := toCold
		if tier == segment.Cold {
			next = toWarm
		}
		report, err := s.Move(t.Context(), next)
		if err != nil || len(report.Left) != 1 || !errors.Is(report.Left[0], codec.ErrCorrupt) || report.Written != 0 {
			t.Errorf("%v: Move = %+v, %v, want the segment left", tier, report, err)
		}
		if got := s.View().Tier(0); got != tier {
			t.Errorf("the damaged segment is %v, was %v", got, tier)
		}
		if _, ok, err := s.View().Lookup("a"); !ok || err != nil {
			t.Errorf("Lookup beside the damage = %v, %v", ok, err)
		}
		if _, _, err := s.View().Lookup("bb"); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("Lookup of what is damaged = %v", err)
		}
		mustClose(t, s)
	}
}
