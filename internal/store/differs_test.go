package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// read is everything that a reader of v can see of memories and links. Damaged memories are in the error.
func read(v *store.View) (memories map[string]ideal, links map[[3]string]float32, err error) {
	memories, links = map[string]ideal{}, map[[3]string]float32{}
	v.Scan(0, func(_ uint32, f store.Found) bool {
		m := ideal{
			ArchivedAt: f.ArchivedAt(), SupersededBy: f.SupersededBy(), Until: f.Until(), Reinforced: f.Reinforced(),
			SupersededAt: f.SupersededAt(), Absent: f.Absent(),
			Dynamics: f.Dynamics(), Past: f.Past(),
		}
		id := ""
		for _, row := range v.Versions(f) {
			r, readErr := v.Record(row)
			if readErr != nil {
				err = errors.Join(err, readErr)
				return true
			}
			vector, readErr := v.Vector(row)
			if readErr != nil {
				err = errors.Join(err, readErr)
				return true
			}
			m.Versions = append(m.Versions, version{Record: *r, Vector: slices.Clone(vector)})
			id = r.ID
		}
		if _, twice := memories[id]; twice {
			err = errors.Join(err, fmt.Errorf("memory %s is there twice", id))
		}
		memories[id] = m
		list, linkErr := v.Links(f)
		err = errors.Join(err, linkErr)
		for _, l := range list {
			other, idErr := v.ID(l.Other)
			err = errors.Join(err, idErr)
			if l.Outgoing {
				links[[3]string{id, other, l.Type}] = l.Weight
			} else if _, ok := links[[3]string{other, id, l.Type}]; !ok {
				links[[3]string{other, id, l.Type}] = l.Weight
			}
		}
		return true
	})
	return memories, links, err
}

// differs tells how what v shows differs from the book; "" if it does not.
func (b *book) differs(v *store.View) string {
	memories, links, err := read(v)
	if err != nil {
		return err.Error()
	}
	if !reflect.DeepEqual(memories, b.memories) {
		return "memories: (-want +got)\n" + cmp.Diff(b.memories, memories)
	}
	if !reflect.DeepEqual(links, b.links) {
		return "links: (-want +got)\n" + cmp.Diff(b.links, links)
	}
	if diff := b.feedbackDiffers(v); diff != "" {
		return diff
	}
	if diff := b.buildingDiffers(v); diff != "" {
		return diff
	}
	var active, archived, docs, vectors, touched int
	for id, m := range b.memories {
		f, ok, err := v.Lookup(id)
		if err != nil || !ok || f.Row != v.Versions(f)[len(m.Versions)-1] {
			return fmt.Sprintf("Lookup(%s) = %v, %v", id, ok, err)
		}
		if m.Dynamics != nil {
			touched++
		}
		switch {
		case m.ArchivedAt != store.NoTime:
			archived++
			continue
		case m.SupersededBy == "":
			docs++
			if m.Versions[len(m.Versions)-1].Vector != nil {
				vectors++
			}
		}
		active++
	}
	if _, ok, err := v.Lookup("nobody"); ok || err != nil {
		return fmt.Sprintf("Lookup(nobody) = %v, %v", ok, err)
	}
	got := []int{v.Memories, v.Archived, v.Docs, v.Vectors, v.LinkCount, v.Touched}
	if want := []int{active, archived, docs, vectors, len(b.links), touched}; !slices.Equal(got, want) {
		return fmt.Sprintf("memories, archived, docs, vectors, links, touched are counted %v, want %v", got, want)
	}
	return ""
}

// buildingDiffers tells how what v says of vectors that are being built differs from the book.
func (b *book) buildingDiffers(v *store.View) string {
	_, size, ok := v.Building()
	if ok != (b.building != nil) || ok && size != b.next || v.Dim != 0 && v.Dim != b.dim {
		return fmt.Sprintf("vectors of dimension %d are being built (%v) beside those of %d, want %d (%v) beside %d",
			size, ok, v.Dim, b.next, b.building != nil, b.dim)
	}
	if !ok {
		return ""
	}
	missing := map[string]bool{}
	for id, m := range b.memories {
		if b.building[versionKey(id, b.version(id))] == nil {
			missing[id] = m.Versions[len(m.Versions)-1].Vector != nil
		}
	}
	got := map[string]bool{}
	var failed error
	v.Unbuilt(0, func(_ uint32, f store.Found, served bool) bool {
		id, err := v.ID(f.Row)
		failed = errors.Join(failed, err)
		got[id] = served
		return true
	})
	if failed != nil || !maps.Equal(got, missing) || v.Built() != len(b.memories)-len(missing) {
		return fmt.Sprintf("%d memories have the vectors that are being built, missing are %v, %v; want %v", v.Built(),
			got, failed, missing)
	}
	return ""
}

// feedbackDiffers tells how what v says of sources and of feedback differs from the book.
func (b *book) feedbackDiffers(v *store.View) string {
	var judged []string
	for r := range v.Feedback() {
		id, err := v.ID(r.Row)
		if err != nil {
			return err.Error()
		}
		judged = append(judged, fmt.Sprint(id, " ", r.At, " ", r.Score))
		if r.Position == 0 || r.Position > v.Position || len(r.Terms) != 1 {
			return fmt.Sprintf("record of feedback %+v in a view at %d", r, v.Position)
		}
	}
	if !slices.Equal(judged, b.judged) {
		return "feedback: (-want +got)\n" + cmp.Diff(b.judged, judged)
	}
	for name, history := range b.sources {
		if got := v.Reliability(name); got != history[len(history)-1].Reliability {
			return fmt.Sprintf("Reliability(%s) = %v, want %v", name, got, history)
		}
		if got, want := v.SourceHistory(name), history[max(0, len(history)-64):]; !slices.Equal(got, want) {
			return fmt.Sprintf("SourceHistory(%s) = %v, want %v", name, got, want)
		}
		for _, s := range history[max(0, len(history)-64):] {
			if got := v.ReliabilityAsOf(name, s.At); got != s.Reliability {
				return fmt.Sprintf("ReliabilityAsOf(%s, %d) = %v, want %v", name, s.At, got, s)
			}
		}
	}
	if got := v.Verified; got != len(b.sources) || len(v.Sources()) != got {
		return fmt.Sprintf("%d sources are known, listed are %v, want %d", got, v.Sources(), len(b.sources))
	}
	if got := v.Reliability("nobody"); got != dynamics.Prior() {
		return fmt.Sprintf("Reliability(nobody) = %v", got)
	}
	return ""
}

// recalled is what recall finds in v for some questions, to the last bit.
func recalled(v *store.View) (out []string) {
	var engine recall.Engine
	valid := recall.NoFilters()
	valid.ValidAt = 1e15
	kind := recall.NoFilters()
	kind.Kinds = []uint32{v.Symbol("fact")}
	corpora := []*recall.Corpus{
		v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(), v.Corpus(),
		v.CorpusAsOf(store.Past{At: 1015, Now: 2e15}), v.CorpusAsOf(store.Past{At: 1040, Now: 2e15, Superseded: true}),
		v.CorpusAsOf(store.Past{At: 1060, Now: 2e15}),
	}
	near := func(numbers ...float32) []float32 { // of the dimension that there is
		v := make([]float32, max(v.Dim, dim))
		copy(v, numbers)
		return v
	}
	for i, q := range []recall.Query{
		{Text: "river stone lantern"},
		{Text: "copper anchor signal", Embedding: near(1, 2, 3, 4, 5, 6, 7, 8)},
		{Embedding: near(-1, 2, -3, 4, 0, 0, 1, 1)},
		{},
		{Text: "harvest paper", Filters: valid},
		{Filters: kind},
		{Text: "river stone lantern"},
		{Text: "copper anchor signal", Embedding: near(1, 2, 3, 4, 5, 6, 7, 8), Filters: valid},
		{},
	} {
		if i < 4 || i == 6 || i == 8 {
			q.Filters = recall.NoFilters()
		}
		q.Now, q.Limit = 2e15, 20
		answer, err := engine.Recall(context.Background(), corpora[i], q)
		var line strings.Builder
		line.WriteString(fmt.Sprintf("%d: searched %d, damaged %d, %v:", i, answer.Searched, answer.Damaged, err))
		for _, h := range answer.Hits {
			id, err := v.ID(h.Row)
			if err != nil {
				id = err.Error()
			}
			line.WriteString(fmt.Sprintf(" %s=%x", id, h.Score))
		}
		out = append(out, line.String())
	}
	return out
}

// verified fails the test unless Verify finds nothing wrong.
func verified(t testing.TB, s *store.Space) {
	t.Helper()
	report, err := s.Verify(context.Background())
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("Verify = %+v, %v, want no problems", report.Problems, err)
	}
}

// holds fails the test unless the space shows what the book says and its keys are known.
func (b *book) holds(t testing.TB, what string, s *store.Space) {
	t.Helper()
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
	err := s.Write(context.Background(), "check", nil, func(tx *store.Tx) error {
		for name, k := range b.keys {
			if got, ok := tx.Key(name); !ok || got != k {
				return fmt.Errorf("Key(%s) = %+v, %v, want %+v", name, got, ok, k)
			}
		}
		if k, ok := tx.Key("never used"); ok {
			return fmt.Errorf("Key(never used) = %+v", k)
		}
		return b.inScope(tx)
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// inScope looks every memory up by what it says: those that recall goes through are found, and what was refused is not.
func (b *book) inScope(tx *store.Tx) error {
	find := func(r *store.Record) (bool, error) {
		_, ok, err := tx.FindScope(r, func(known *store.Record, _ uint32) (bool, error) {
			return known.ID == r.ID, nil
		})
		return ok, err
	}
	for id, m := range b.memories {
		ok, err := find(&m.Versions[len(m.Versions)-1].Record)
		if active := m.ArchivedAt == store.NoTime && m.SupersededBy == ""; err != nil || ok != active {
			return fmt.Errorf("FindScope of %s = %v, %w, want %v", id, ok, err, active)
		}
	}
	for i := range b.refused {
		r := &b.refused[i]
		m, known := b.memories[r.ID]
		known = known && m.Versions[len(m.Versions)-1].Record.Content == r.Content
		if ok, err := find(r); err != nil || ok && !known {
			return fmt.Errorf("FindScope of what was refused, %s = %v, %w", r.ID, ok, err)
		}
	}
	return nil
}

// changed lists what is different in two results of recalled; "" if nothing is.
func changed(before, after []string) string {
	for i := range before {
		if before[i] != after[i] {
			x, y := strings.Fields(before[i]), strings.Fields(after[i])
			for j := range min(len(x), len(y)) {
				if x[j] != y[j] {
					return fmt.Sprintf("question %d, word %d: %s became %s:\n%s\n%s",
						i, j, x[j], y[j], before[i], after[i])
				}
			}
			return fmt.Sprintf("question %d:\n%s\nbecame\n%s", i, before[i], after[i])
		}
	}
	return ""
}
