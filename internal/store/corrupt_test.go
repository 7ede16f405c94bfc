package store

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

// Corruptions are the ways in which [Corrupt] makes what is kept in memory wrong.
func Corruptions() []string { return slices.Sorted(maps.Keys(corruptions)) }

// Corrupt makes one thing wrong of what is kept of a memory, which nobody else may use meanwhile.
func Corrupt(s *Space, how, id string) error {
	f, ok, err := s.View().Find(id)
	if err != nil || !ok {
		return fmt.Errorf("find %q: %t, %w", id, ok, err)
	}
	corruptions[how](s, f)
	return nil
}

var corruptions = map[string]func(*Space, Found){
	"id":               func(s *Space, f Found) { without(s, &s.t.ids, f.entry, Found.idHashes) },
	"scope":            func(s *Space, f Found) { without(s, &s.t.scopes, f.entry, Found.scopeHashes) },
	"heirs":            func(s *Space, _ Found) { s.t.heirs = isolate.Table{} },
	"key":              func(s *Space, _ Found) { s.t.keys = isolate.Table{} },
	"keys of a memory": func(s *Space, _ Found) { s.t.keysOf = isolate.Table{} },
	"words": func(s *Space, f Found) {
		words, _ := lexical.New(s.o.Lexical)
		for row := range s.View().Rows {
			r, err := s.View().Record(row)
			if err != nil || s.t.ends.End(row) == 0 {
				continue
			}
			if row == f.Row {
				r.Content += " otherwise"
			}
			words.Add(row, words.Prepare(document(r)))
		}
		s.t.words = words
	},
	"words missing": func(s *Space, f Found) {
		words, _ := lexical.New(s.o.Lexical)
		for row := range s.View().Rows {
			if r, err := s.View().Record(row); err == nil && row != f.Row {
				words.Add(row, words.Prepare(document(r)))
			}
		}
		s.t.words = words
	},
	"order": func(s *Space, _ Found) {
		s.reorder(noRow, func(a, b uint32) bool { return s.before(b, a, noRow, "") })
	},
	"order of the same time": func(s *Space, _ Found) {
		s.reorder(noRow, func(a, b uint32) bool {
			x, y := s.t.facts.At(a).OccurredAt, s.t.facts.At(b).OccurredAt
			return x < y || x == y && s.before(b, a, noRow, "")
		})
	},
	"order missing": func(s *Space, f Found) {
		s.reorder(f.Row, func(a, b uint32) bool { return s.before(a, b, noRow, "") })
	},
	"associations": func(s *Space, _ Found) { s.t.links = graph.NewLinks() },
	"degree": func(s *Space, f Found) { // a word for each entry, which package graph keeps to itself
		field, _ := reflect.TypeFor[graph.Links]().FieldByName("degrees")
		degrees := (*isolate.Column[atomic.Uint64])(unsafe.Add(unsafe.Pointer(s.t.links), field.Offset))
		degrees.At(f.entry).Add(1)
	},
	"erased":          func(s *Space, f Found) { s.state(f).erased = true },
	"archived":        func(s *Space, f Found) { s.state(f).alter().archivedAt = 5 },
	"superseded":      func(s *Space, f Found) { s.state(f).alter().supersededBy = "nobody" },
	"current version": func(s *Space, f Found) { s.state(f).row-- },
	"versions": func(s *Space, f Found) {
		own := s.state(f).alter()
		own.versions = append(slices.Clone(own.versions), own.versions[0])
	},
	"end":            func(s *Space, f Found) { s.t.ends.Set(f.Row, 1) },
	"void":           func(s *Space, f Found) { s.t.ends.Set(f.Row, 0) },
	"known":          func(s *Space, f Found) { s.t.known.Load().Set(f.Row, 1) },
	"first row":      func(s *Space, f Found) { s.t.setFirst(f.entry, noRow) },
	"entry of a row": func(s *Space, f Found) { s.t.facts.At(f.Row).Entry++ },
	"recorded":       func(s *Space, f Found) { s.t.recorded.Set(f.Row, 1) },
	"kind":           func(s *Space, f Found) { s.t.facts.At(f.Row).Kind++ },
	"speaker":        func(s *Space, f Found) { s.t.facts.At(f.Row).Speaker++ },
	"session":        func(s *Space, f Found) { s.t.facts.At(f.Row).Session++ },
	"tags":           func(s *Space, f Found) { s.t.facts.At(f.Row).Tags ^= 1 },
	"source":         func(s *Space, f Found) { s.t.facts.At(f.Row).Source = 0 },
	"odds":           func(s *Space, f Found) { s.t.facts.At(f.Row).Odds = 2.5 },
	"pinned":         func(s *Space, f Found) { s.t.facts.At(f.Row).Pinned = !s.t.facts.At(f.Row).Pinned },
	"occurred at":    func(s *Space, f Found) { s.t.facts.At(f.Row).OccurredAt ^= 1 << 40 },
	"valid from":     func(s *Space, f Found) { s.t.facts.At(f.Row).ValidFrom ^= 1 },
	"valid until":    func(s *Space, f Found) { s.t.facts.At(f.Row).ValidUntil ^= 1 },
	"expires at":     func(s *Space, f Found) { s.t.facts.At(f.Row).ExpiresAt ^= 1 },
	"zone":           func(s *Space, f Found) { s.t.facts.At(f.Row).Zone++ },
	"vector": func(s *Space, f Found) {
		s.t.facts.At(f.Row).StoredVector = !s.t.facts.At(f.Row).StoredVector
	},
	"scanned vectors": func(s *Space, f Found) {
		p, slot := s.part(f.Row)
		for g := range p.sealed.Groups() {
			slots := p.sealed.Slots(g)
			if i := slices.Index(slots, slot); i >= 0 {
				slots[i] = slots[(i+1)%len(slots)]
			}
		}
	},
	"reinforced":            func(s *Space, f Found) { s.state(f).reinforced++ },
	"time of supersession":  func(s *Space, f Found) { s.state(f).alter().supersededAt = 3 },
	"times of archiving":    func(s *Space, f Found) { s.state(f).alter().absent = []Span{{From: 1, Until: 2}} },
	"written: stability":    func(s *Space, f Found) { s.life(f).stability *= 2 },
	"written: last use":     func(s *Space, f Found) { s.life(f).lastUse++ },
	"written: belief":       func(s *Space, f Found) { s.life(f).more.evidence[0].odds++ },
	"written: reliability":  func(s *Space, _ Found) { s.t.sources.cellOf("Ada").p.Load().Right++ },
	"written: judgement":    func(s *Space, _ Found) { s.View().feedback.chunks[0][0].grade++ },
	"written: judgements":   func(s *Space, _ Found) { s.recount(func(v *View) { v.feedback.n-- }) },
	"written: key":          func(s *Space, _ Found) { s.t.keyList.Get(0).Version++ },
	"written: weight":       func(s *Space, f Found) { s.link(f, .9) },
	"written: not a weight": func(s *Space, f Found) { s.link(f, 0) },
	"count of memories":     func(s *Space, _ Found) { s.recount(func(v *View) { v.Memories++ }) },
	"count of archived":     func(s *Space, _ Found) { s.recount(func(v *View) { v.Archived++ }) },
	"count of words":        func(s *Space, _ Found) { s.recount(func(v *View) { v.Tokens++ }) },
	"count of known":        func(s *Space, _ Found) { s.recount(func(v *View) { v.KnownDocs++ }) },
	"count of vectors":      func(s *Space, _ Found) { s.recount(func(v *View) { v.Vectors++ }) },
	"count of links":        func(s *Space, _ Found) { s.recount(func(v *View) { v.LinkCount++ }) },
	"count of touched":      func(s *Space, _ Found) { s.recount(func(v *View) { v.Touched++ }) },
}

// state is that of a memory, which is made if it has none.
func (s *Space) state(f Found) *entryState {
	st := f.state.change(s.View().Position)
	s.t.states.At(f.entry).p.Store(st)
	return st
}

// life is a copy of what is kept of the uses of a memory, in its place.
func (s *Space) life(f Found) *life {
	old := f.state.life
	l := &life{
		stability: old.stability, difficulty: old.difficulty, since: old.since, lastUse: old.lastUse,
		labileTill: old.labileTill, at: old.at, gain: old.gain, own: old.own, more: &lifeMore{},
	}
	l.more.evidence = slices.Clone(old.evidence(&[1]said{}))
	if old.more != nil {
		l.more.lapse, l.more.during, l.more.depth = old.more.lapse, old.more.during, old.more.depth
		l.more.older.Store(old.more.older.Load())
	}
	s.state(f).life = l
	return l
}

// link gives an association of a memory another weight, from both ends; 0 takes it away, and counts that.
func (s *Space) link(f Found, weight float32) {
	to, _, _ := s.View().Find("cc")
	if weight > 0 {
		s.t.links.Set(f.entry, to.entry, "about", weight, s.View().Position)
		return
	}
	s.t.links.Remove(f.entry, to.entry, "about", s.View().Position)
	s.recount(func(v *View) { v.LinkCount-- })
}

func (s *Space) recount(change func(*View)) {
	v := *s.View()
	change(&v)
	s.view.Store(&v)
}

// reorder puts the rows of sessions but one in another order.
func (s *Space) reorder(but uint32, before func(a, b uint32) bool) {
	chain := graph.NewChain()
	for row := range s.View().Rows {
		if session := s.t.facts.At(row).Session; session != 0 && s.t.ends.End(row) != 0 && row != but {
			chain.Insert(session, row, before)
		}
	}
	s.t.chain = chain
}

// without fills a table anew with what the records say of all memories but one.
func without(s *Space, t *isolate.Table, entry uint32, hashes func(Found, *View) []uint64) {
	*t = isolate.Table{}
	v := s.View()
	v.Scan(0, func(other uint32, f Found) bool {
		for _, hash := range hashes(f, v) {
			if other != entry {
				t.Insert(hash, other, nil)
			}
		}
		return true
	})
}

func (f Found) idHashes(v *View) (hashes []uint64) {
	r, err := v.Record(f.Row)
	if err != nil {
		panic(err)
	}
	return []uint64{hashString(r.ID)}
}

func (f Found) scopeHashes(v *View) (hashes []uint64) {
	for _, row := range v.Versions(f) {
		r, err := v.Record(row)
		if err != nil {
			panic(err)
		}
		hashes = append(hashes, scopeHash(r))
	}
	return hashes
}
