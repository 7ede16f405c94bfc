package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// crowd fills a space with memories of many words, with vectors in clusters, some of them the same or nearly so, sealed
// into segments of different sizes.
func crowd(t *testing.T, seed uint64, metric ann.Metric, vectorDim int) (*vfs.Mem, *store.Space, [][]float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 31))
	fsys := newFS(t)
	s := mustOpen(t, fsys, func(o *store.Options) {
		o.Settings, o.LogFileBytes = store.Settings{Metric: metric}, 1<<20
	})
	random := func() []float32 {
		v := make([]float32, vectorDim)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	near := func(v []float32, by float64) []float32 {
		w := slices.Clone(v)
		for i, x := range random() {
			w[i] += float32(by) * x
		}
		return w
	}
	centres := [][]float32{random(), random(), random()}
	none := store.Time{Nanos: store.NoTime}
	for i := range 500 {
		var words []string
		for range 8 + rng.IntN(20) {
			words = append(words, bookWords[rng.IntN(len(bookWords))]+fmt.Sprint(rng.IntN(40)))
		}
		a := action{kind: "put", version: version{Record: store.Record{
			ID: fmt.Sprintf("m%03d", i), Version: 1, Content: strings.Join(words, " "), Session: fmt.Sprint("s", i/25),
			OccurredAt: store.Time{Nanos: int64(1e15) + int64(i)*1e9}, ValidFrom: none, ValidUntil: none,
			ExpiresAt: none, CreatedAt: store.Time{Nanos: int64(i)}, UpdatedAt: store.Time{Nanos: int64(i)},
			Confidence: .8,
		}}}
		switch rng.IntN(8) {
		case 0:
		case 1:
			a.version.Vector = centres[0] // exactly
		case 2:
			a.version.Vector = near(centres[1], .01)
		default:
			a.version.Vector = near(centres[rng.IntN(len(centres))], .3+rng.Float64())
		}
		if err := write(s, []action{a}); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(60) == 0 {
			mustSeal(t, s)
		}
	}
	questions := [][]float32{centres[0], near(centres[1], .02), random()}
	for range 5 {
		questions = append(questions, near(centres[rng.IntN(len(centres))], rng.Float64()))
	}
	return fsys, s, questions
}

// asked is everything that questions by vector, alone and with words, filtered and not, find and say, to the last bit.
func asked(t *testing.T, s *store.Space, questions [][]float32) (out []string) {
	t.Helper()
	var engine recall.Engine
	v := s.View()
	for i, q := range questions {
		filtered := recall.NoFilters()
		filtered.Session = v.Symbol("s3")
		for _, query := range []recall.Query{
			{Embedding: q, Limit: 30, Filters: recall.NoFilters(), Explain: true},
			{Embedding: q, Text: "river3 stone7 lantern1", Limit: 30, Filters: recall.NoFilters(), Explain: true},
			{Embedding: q, Text: "copper9", Limit: 30, Filters: filtered, Explain: true},
		} {
			answer, err := engine.Recall(t.Context(), v.Corpus(), query)
			if err != nil || len(answer.Damage) > 0 {
				t.Fatalf("Recall = %v, %v", err, answer.Damage)
			}
			out = append(out, fmt.Sprintf("%d: %x %+v", i, answer.Rejected, hitsOf(t, v, answer)))
		}
		nearest, err := engine.Nearest(t.Context(), v.Corpus(), recall.Query{
			Embedding: q, Limit: 20, Filters: recall.NoFilters(),
		})
		if err != nil || len(nearest.Damage) > 0 {
			t.Fatalf("Nearest = %v, %v", err, nearest.Damage)
		}
		out = append(out, fmt.Sprintf("%d nearest: %v %v", i, nearest.Known, nearest.Rows))
	}
	return out
}

func hitsOf(t *testing.T, v *store.View, a recall.Answer) (out []string) {
	t.Helper()
	for _, h := range a.Hits {
		r, err := v.Record(h.Row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %x %+v %s", r.ID, h.Score, h.Terms, r.Content))
	}
	return out
}

// TestTierDoesNotShow asks before and after moves of some segments and of all, to either tier, behind compactions and
// openings: every answer is the same to the last bit of every term.
func TestTierDoesNotShow(t *testing.T) {
	for _, metric := range []ann.Metric{ann.Cosine, ann.Dot} {
		for _, vectorDim := range []int{8, 96} {
			seed := uint64(vectorDim) + uint64(metric)
			rng := rand.New(rand.NewPCG(seed, 32))
			fsys, s, questions := crowd(t, seed, metric, vectorDim)
			want := asked(t, s, questions)
			same := func(what string) {
				t.Helper()
				if diff := changed(want, asked(t, s, questions)); diff != "" {
					t.Fatalf("seed %d: %s: %s", seed, what, diff)
				}
				verified(t, s)
			}
			tiers := map[segment.Tier]bool{}
			for step := range 12 {
				// What is needed stays, or becomes warm; the rest goes. Every segment has its own share.
				day := uint32(10 + step)
				parts := rng.IntN(4)
				for row := range s.View().Rows {
					if int(row/125)%4 <= parts && rng.IntN(3) > 0 {
						s.View().Need(day, row)
					}
				}
				report := mustMove(t, s, store.MoveOptions{Today: day, Since: day})
				same(fmt.Sprintf("moved %d to cold, %d to warm", report.Cooled, report.Warmed))
				for row := range s.View().Rows {
					tiers[s.View().Tier(row)] = true
				}
				if step%4 == 3 {
					mustMove(t, s, toCold)
					same("all cold")
				}
				if step%5 == 4 {
					mustCompact(t, s)
					same("compacted")
				}
				if step%3 == 2 {
					mustClose(t, s)
					s = mustOpen(t, fsys)
					same("reopened")
				}
			}
			mustMove(t, s, toWarm)
			same("all warm")
			if st := s.Stats(); st.Cold != 0 || st.Warmed == 0 && st.Cooled == 0 {
				t.Errorf("Stats = %+v, want nothing cold and moves", st)
			}
			if !tiers[segment.Warm] || !tiers[segment.Cold] {
				t.Errorf("rows were in tiers %v, want both", tiers)
			}
			mustClose(t, s)
		}
	}
}

// TestColdNeighboursGrowTogether: segments that become cold one after the other end up in few files.
func TestColdNeighboursGrowTogether(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for i := range 12 {
		b.do(t, s, b.wordy(fmt.Sprint("m", i)))
		mustSeal(t, s)
		mustMove(t, s, toCold)
	}
	if st := s.Stats(); st.ColdSegments != 1 || st.Segments != 1 {
		t.Errorf("%d cold segments of %d, want one", st.ColdSegments, st.Segments)
	}
	b.holds(t, "moved", s)
	mustClose(t, s)
}

// TestNeedIsAdvice loses, damages and replaces the file of what was needed: everything is there, damage is told, and it
// is written anew.
func TestNeedIsAdvice(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for i := range 30 {
		b.do(t, s, b.wordy(fmt.Sprint("m", i)))
	}
	path := filepath.Join(spaceDir, "NEEDED")
	s.View().Need(50, 3)
	mustClose(t, s)
	if _, err := fsys.Bytes(path); err == nil {
		t.Error("a space without segments writes down what was needed")
	}
	s = mustOpen(t, fsys)
	mustSeal(t, s)
	s.View().Need(50, 0, 1, 2, 7, 29)
	s.View().Need(90, 7)
	s.View().Need(60, 7) // a day that is gone
	mustClose(t, s)
	whole, err := fsys.Bytes(path)
	if err != nil {
		t.Fatal(err)
	}
	// rows, then runs of rows and days
	want := framed("ND", 1, 0, 0, unhex(t, "1e000000 0332 0400 015a 1500 0132"))
	if !bytes.Equal(whole, want) {
		t.Errorf("the file is\n% x, want\n% x", whole, want)
	}
	s = mustOpen(t, fsys)
	mustClose(t, s)
	if again, err := fsys.Bytes(path); err != nil || !bytes.Equal(again, whole) {
		t.Errorf("after a life without need the file is % x, %v", again, err)
	}
	for bit := range 8 * len(whole) {
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := fsys.SetBytes(path, flipped); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, fsys)
		if err := s.Health(); !errors.Is(err, codec.ErrCorrupt) || errors.Is(err, store.ErrReadOnly) {
			t.Fatalf("bit %d flipped: Health = %v, want the damage and no more", bit, err)
		}
		report, err := s.Verify(t.Context())
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != path {
			t.Fatalf("bit %d flipped: Verify = %+v, %v", bit, report.Problems, err)
		}
		if bit%97 == 0 {
			b.holds(t, "flipped", s)
		}
		mustClose(t, s)
	}
	s = mustOpen(t, fsys)
	s.View().Need(100, 5)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "written anew", s)
	verified(t, s)
	if err := s.Health(); err != nil {
		t.Errorf("Health = %v", err)
	}
	mustClose(t, s)
}

// TestEraseLeavesNoByteInColdSegments erases a memory from a cold segment and compacts: neither the bodies, unpacked,
// nor a dictionary, nor any other byte of any file has a part of it.
func TestEraseLeavesNoByteInColdSegments(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	secret := b.secret("secret")
	b.do(t, s, secret)
	for i := range 1500 { // enough for a dictionary
		a := b.put(fmt.Sprint("m", i))
		a.version.Record.Source = ""
		a.version.Record.Content += " " + secret.version.Record.Content[:7] + strings.Repeat(" said again", i%4)
		if i%3 == 0 {
			a.version.Record.Content += " of goldmine"
		}
		if err := write(s, []action{a}); err != nil {
			t.Fatal(err)
		}
		b.note(a)
	}
	mustSeal(t, s)
	mustMove(t, s, toCold)
	// The log still has what was sealed; the segments have it in their bodies, and the dictionary pieces of them.
	inSegments := func(needle []byte) (where []string) {
		for _, name := range fsys.Files() {
			if filepath.Ext(name) != ".seg" {
				continue
			}
			raw, err := fsys.Bytes(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, needle) {
				where = append(where, "raw in "+name)
			}
			var number uint64
			if _, err := fmt.Sscanf(filepath.Base(name), "%016x.seg", &number); err != nil {
				t.Fatal(err)
			}
			f := segment.File{FS: fsys, Dir: spaceDir, Store: storeID, Number: number}
			w, err := segment.Open(f, int64(len(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if w.Tier() != segment.Cold {
				t.Errorf("%s is %v", name, w.Tier())
			}
			for slot := range w.Rows() {
				err := w.Read(slot, func(body []byte) error {
					if bytes.Contains(body, needle) {
						where = append(where, fmt.Sprintf("row %d of %s", slot, name))
					}
					return nil
				})
				if err != nil && !errors.Is(err, segment.ErrVoid) {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return where
	}
	needle := []byte("content-secret")
	where := inSegments(needle)
	if !slices.ContainsFunc(where, func(w string) bool { return strings.HasPrefix(w, "row 0 ") }) {
		t.Fatalf("before it is erased the content is in %v: the search finds nothing", where)
	}
	where = inSegments([]byte("goldmine"))
	if !slices.ContainsFunc(where, func(w string) bool { return strings.HasPrefix(w, "raw") }) {
		t.Fatal("the dictionary has nothing of what is to go: the search finds nothing")
	}
	b.do(t, s, action{kind: "erase", id: "id-secret"})
	for i := range 1500 {
		if i%3 == 0 {
			b.do(t, s, action{kind: "erase", id: fmt.Sprint("m", i)})
		}
	}
	if report := mustCompact(t, s); report.Dropped != 501 || report.Written == 0 {
		t.Errorf("Compact = %+v, want 501 rows dropped", report)
	}
	for what, n := range needles(secret) {
		if where := inSegments(n); len(where) > 0 {
			t.Errorf("%s is still in %v", what, where)
		}
	}
	if where := inSegments([]byte("goldmine")); len(where) > 0 {
		t.Errorf("words of what was erased are still in %v", where)
	}
	if where := found(t, fsys, secret); len(where) > 0 {
		t.Errorf("still in %v", where)
	}
	b.holds(t, "compacted", s)
	mustClose(t, s)
}

// TestSalvageOfColdSegments loses the manifest of a space whose segments are cold: everything comes back.
func TestSalvageOfColdSegments(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for i := range 20 {
		b.do(t, s, b.wordy(fmt.Sprint("m", i)))
		if i%6 == 5 {
			mustSeal(t, s)
			mustMove(t, s, []store.MoveOptions{toCold, toWarm}[i/6%2])
		}
	}
	mustClose(t, s)
	if err := fsys.Remove(manifestPath); err != nil {
		t.Fatal(err)
	}
	saved, err := store.Salvage(options(fsys), func(err error) { t.Logf("lost: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := b.differs(saved.View()); diff != "" {
		t.Errorf("saved: %s", diff)
	}
	mustClose(t, saved)
}
