package lexical_test

import (
	"context"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

func (s *shelf) expand(q lexical.Query, v lexical.View) lexical.Query {
	out, err := s.x.Expand(context.Background(), q, v)
	if err != nil {
		panic(err)
	}
	return out
}

// expanded lists the terms of a question after expansion.
func expanded(s *shelf, text string) []lexical.QueryTerm {
	return s.expand(s.ask(text), s.view()).Terms
}

func TestMisspeltWordsFindTheirNeighbours(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	harbour := s.text("We met at the old harbour.")
	s.text("The lighthouse keeper left.")
	if got := s.find("harbuor"); len(got) != 0 {
		t.Fatalf("without expansion harbuor finds %v", got)
	}
	got := expanded(s, "old harbuor")
	if len(got) != 2 || got[0].Term != "old" || got[1].Term != "harbour" || got[1].For != "harbuor" {
		t.Fatalf("terms = %+v, want old and, for harbuor, harbour", got)
	}
	// Both have 6 pairs and 5 triples; ha ar rb and har arb are in both.
	if want := (10.0 / 22) * (10.0 / 22); !near(got[1].Weight, want) {
		t.Errorf("weight = %v, want Dice squared, %v", got[1].Weight, want)
	}
	if rows := s.scores(lexical.Query{Terms: got[1:]}); len(rows) != 1 || !(rows[harbour] > 0) {
		t.Errorf("scores = %v, want row %d alone", rows, harbour)
	}
	for _, text := range []string{"harbour", "xylophone", "2031", "old"} { // known, like nothing, a number, known
		terms := expanded(s, text)
		if len(terms) != 1 || terms[0].For != "" {
			t.Errorf("Expand(%q) = %+v, want it as it was", text, terms)
		}
	}
}

// TestExpansionSeesTheViewOnly: a word that only dead rows hold is as unknown as one that none holds, and nothing is
// expanded to it.
func TestExpansionSeesTheViewOnly(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	dead := s.text("harbour")
	s.text("harbours harbourside")
	s.text("unrelated")
	before := s.view()
	s.remove(dead)
	if got := s.expand(s.ask("harbuor"), before).Terms; got[0].Term != "harbour" {
		t.Errorf("in the earlier view harbuor is %+v", got)
	}
	s.remove(1)
	if got := expanded(s, "harbuor"); len(got) != 1 || got[0].For != "" {
		t.Errorf("with all of them gone harbuor is %+v, want it as it was", got)
	}
	if got := expanded(s, "harbour"); len(got) != 1 || got[0].For != "" {
		t.Errorf("with all of them gone harbour is %+v, want it as it was", got)
	}
}

// TestExpansionDoesNotDependOnOrder: equally near terms are taken by their text, whatever their ids.
func TestExpansionDoesNotDependOnOrder(t *testing.T) {
	words := []string{"lantern", "lanterx", "lantera", "lanterb", "lanterc"}
	var want []lexical.QueryTerm
	for i := range 10 {
		s := newShelf(t, lexical.Options{Language: "none"})
		for k := range words {
			s.text(words[(k*3+i)%len(words)])
		}
		got := expanded(s, "lanterq")
		if len(got) != 3 {
			t.Fatalf("%d terms stand in: %+v", len(got), got)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("order %d: %+v, want %+v", i, got, want)
		}
	}
}

// FuzzExpand: any text can be indexed and asked; each term of the question is kept, or stood in for by terms that the
// index holds.
func FuzzExpand(f *testing.F) {
	f.Add("harbour lights", "harbuor")
	f.Add("été à la plage", "etée plagge")
	f.Add("東京 タワー", "東亰")
	f.Fuzz(func(t *testing.T, content, question string) {
		s := newShelf(t, lexical.Options{})
		s.text(content)
		q := s.ask(question)
		kept := map[string]bool{}
		for _, term := range q.Terms {
			kept[term.Term] = true
		}
		for _, g := range s.expand(q, s.view()).Terms {
			switch {
			case g.For == "" && !kept[g.Term]:
				t.Errorf("%q came from nowhere in %q", g.Term, question)
			case g.For != "" && (!kept[g.For] || !(g.Weight > 0)):
				t.Errorf("%+v stands in for what is not in %q", g, question)
			case g.For != "" && len(s.scores(lexical.Query{Terms: []lexical.QueryTerm{g}})) == 0:
				t.Errorf("%+v finds nothing in %q", g, content)
			}
		}
	})
}

func BenchmarkExpand(b *testing.B) {
	speech := newSpeech(2)
	s := newShelf(b, lexical.Options{})
	p := new(lexical.Prepared)
	for i, word := range speech.word { // every word once: 300,000
		s.x.PrepareInto(p, lexical.Document{Content: word})
		s.x.Add(uint32(i), p)
		s.ends.Set(uint32(i), isolate.Never)
		s.rows, s.docs, s.tokens = s.rows+1, s.docs+1, s.tokens+int64(p.Length())
	}
	v, q := s.view(), s.ask("zxstraineks")
	b.ReportMetric(float64(s.x.Stats().Terms), "terms")
	for b.Loop() {
		s.expand(q, v)
	}
}
