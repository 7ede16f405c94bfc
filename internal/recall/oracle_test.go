package recall_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// oracle answers by words and association with maps, sorting everything: what Recall must give, the slow way.
func (s *space) oracle(q recall.Query) map[string]float64 {
	f := q.Filters
	base := func(row uint32) bool {
		m := s.rows[row]
		until, superseded := s.superseded[row]
		if s.known.End(row) <= s.position || superseded && f.ValidAt == recall.NoTime {
			return false
		}
		if m.expires != 0 && m.expires <= q.Now {
			return false
		}
		at := f.ValidAt
		return at == recall.NoTime ||
			(m.from == 0 || m.from <= at) && (m.until == 0 || at < m.until) && (!superseded || at < until)
	}
	member := func(row uint32) bool {
		m := s.rows[row]
		return base(row) && (f.Speaker == 0 || s.symbol(m.speaker) == f.Speaker) &&
			(len(f.Kinds) == 0 || slices.Contains(f.Kinds, s.symbol(m.kind))) &&
			(len(f.TagsAll) == 0 || len(m.tags) > 0 && s.symbol(m.tags[0]) == f.TagsAll[0])
	}
	population, ends := s.current, &s.ends
	if f.ValidAt != recall.NoTime {
		population, ends = s.all, &s.known
	}
	words := map[uint32]float64{}
	dense := make([]float64, len(s.rows))
	view := lexical.View{
		Rows: uint32(len(s.rows)), At: s.position, Ends: ends, Docs: population.Docs, Tokens: population.Tokens,
	}
	question, err := s.words.Expand(context.Background(), s.words.Analyze(q.Text, view), view)
	if err != nil {
		panic(err)
	}
	touched, err := s.words.Score(context.Background(), question, view, dense, nil)
	if err != nil {
		panic(err)
	}
	for _, row := range touched {
		if member(row) {
			words[row] = dense[row]
		}
	}
	score := map[string]float64{}
	by := func(term string) float64 {
		if c, ok := q.Coefficients[term]; ok {
			return c
		}
		return 1
	}
	for row, w := range words {
		score[s.rows[row].id] += by(recall.TermWords) * w
	}
	w := oracleWalk{s: s, member: member, arcs: map[uint32]map[uint32]float64{}, count: map[uint32]float64{}}
	for _, session := range s.bySession(base) {
		for i := 1; i < len(session); i++ {
			w.join(session[i-1], session[i], 1)
		}
	}
	for row, m := range s.rows {
		for _, e := range s.links.Edges(s.entries[m.id], s.position) {
			w.count[uint32(row)]++
			if e.Outgoing {
				w.join(uint32(row), e.To, math.Round(float64(e.Weight)*(1<<24))/(1<<24))
			}
		}
	}
	strongest := 0.0
	for _, word := range words {
		strongest = max(strongest, word)
	}
	d := recall.DefaultWeights()
	for row, pi := range w.walk(words, strongest, q.Hops) {
		if pi > 1e-15 {
			score[s.rows[row].id] += by(recall.TermAssociation) * d.Association * strongest *
				math.Log1p(pi/d.Pi0) / math.Log1p(1/d.Pi0)
		}
	}
	return score
}

// oracleWalk is the graph of the members, and a push over it with maps.
type oracleWalk struct {
	s      *space
	member func(uint32) bool
	arcs   map[uint32]map[uint32]float64
	count  map[uint32]float64 // associations, those with no members too
}

func (w *oracleWalk) join(a, b uint32, weight float64) {
	if !w.member(a) || !w.member(b) || weight == 0 {
		return
	}
	for _, row := range []uint32{a, b} {
		if w.arcs[row] == nil {
			w.arcs[row] = map[uint32]float64{}
		}
	}
	w.arcs[a][b] += weight
	if a != b {
		w.arcs[b][a] += weight
	}
}

// walk gives each row's activation, without what seeds have by themselves.
func (w *oracleWalk) walk(words map[uint32]float64, strongest float64, hops *int) map[uint32]float64 {
	const alpha, epsilon = .5, 1e-4
	d := recall.DefaultWeights()
	values := slices.Sorted(maps.Values(words))
	cut, all := 0.0, 0.0
	if len(values) > d.Seeds {
		cut = values[len(values)-d.Seeds] // there are never as many ties as leave no room
	}
	waits, ended := map[uint32]float64{}, map[uint32]float64{}
	for row, word := range words {
		if word >= cut {
			waits[row] = math.Exp((word/strongest - 1) / d.Temperature)
			all += waits[row]
		}
	}
	for row := range waits {
		waits[row] /= all
		ended[row] -= alpha * waits[row]
		if len(w.arcs[row]) == 0 {
			ended[row] -= (1 - alpha) * waits[row]
		}
	}
	pushed := true
	for round := 1; pushed; round++ {
		pushed = false
		last := hops != nil && round > *hops
		next := maps.Clone(waits)
		for row, mass := range waits {
			if mass < epsilon*(w.count[row]+2) {
				continue
			}
			pushed = true
			next[row] -= mass
			degree := 0.0
			for _, weight := range w.arcs[row] {
				degree += weight
			}
			if degree == 0 {
				ended[row] += mass
				continue
			}
			ended[row] += alpha * mass
			if last {
				continue
			}
			for to, weight := range w.arcs[row] {
				next[to] += (1 - alpha) * mass * weight / degree
			}
		}
		if waits = next; last {
			break
		}
	}
	return ended
}

// bySession lists the rows that exist in the order of each session.
func (s *space) bySession(exists func(uint32) bool) map[string][]uint32 {
	sessions := map[string][]uint32{}
	for row, m := range s.rows {
		if m.session != "" && exists(uint32(row)) {
			sessions[m.session] = append(sessions[m.session], uint32(row))
		}
	}
	for _, rows := range sessions {
		sort.Slice(rows, func(i, j int) bool { return s.before(rows[i], rows[j]) })
	}
	return sessions
}

func TestAgainstOracle(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 99))
			s := newSpace(t, lexical.Options{})
			n := 5 + rng.IntN(150)
			word := func() string { return fmt.Sprintf("w%dx", rng.IntN(12)*rng.IntN(4)) }
			some := func(chance int) bool { return rng.IntN(chance) == 0 }
			for i := range n {
				m := memory{
					id: name(i), at: int64(rng.IntN(40)), confidence: 1,
					speaker: []string{"", "Ines", "Tom"}[rng.IntN(3)], kind: []string{"note", "fact"}[rng.IntN(2)],
				}
				for range 1 + rng.IntN(6) {
					m.text += word() + " "
				}
				if !some(4) {
					m.session = fmt.Sprint("s", rng.IntN(4))
				}
				if some(3) {
					m.tags = []string{[]string{"red", "blue"}[rng.IntN(2)]}
				}
				if seed%2 == 0 && some(5) {
					m.expires = int64(50 + rng.IntN(100))
				}
				if some(4) {
					m.from, m.until = int64(1+rng.IntN(50)), int64(50+rng.IntN(50))
				}
				s.add(m)
			}
			for range n / 3 {
				s.link(name(rng.IntN(n)), name(rng.IntN(n)), rng.Float32())
			}
			for i := range n {
				switch {
				case some(9):
					s.forget(name(i))
				case some(9):
					s.supersede(name(i), int64(rng.IntN(100)))
				}
			}
			for range 30 {
				s.checkOracle(t, rng, word)
			}
		})
	}
}

func (s *space) checkOracle(t *testing.T, rng *rand.Rand, word func() string) {
	q := ask(word() + " " + word())
	q.Limit, q.Now = 1+rng.IntN(20), int64(rng.IntN(120))
	if rng.IntN(3) == 0 {
		q.Filters.Speaker = s.symbol("Ines")
	}
	if rng.IntN(4) == 0 {
		q.Filters.Kinds = []uint32{s.symbol("fact")}
	}
	if rng.IntN(4) == 0 {
		q.Filters.TagsAll = []uint32{s.symbol("red")}
	}
	if rng.IntN(3) == 0 {
		q.Filters.ValidAt = int64(rng.IntN(100))
	}
	if rng.IntN(2) == 0 { // one of them far from the other, so that what is found is ordered anew
		q.Coefficients = map[string]float64{
			recall.TermWords: .25 + rng.Float64(), recall.TermAssociation: 4 * rng.Float64(),
		}
		q.Coefficients[recall.TermAssociation] = max(q.Coefficients[recall.TermAssociation], .25)
	}
	if rng.IntN(2) == 0 {
		q.Hops = new(rng.IntN(4))
	}
	type scored struct {
		id    string
		score float64
	}
	var want []scored
	for id, score := range s.oracle(q) {
		want = append(want, scored{id, score})
	}
	// Sums in another order differ in their last bits: scores that near count as equal.
	round := func(x float64) float64 { return math.Round(x * 1e9) }
	slices.SortFunc(want, func(a, b scored) int {
		return cmp.Or(cmp.Compare(round(b.score), round(a.score)), cmp.Compare(a.id, b.id))
	})
	want = want[:min(len(want), q.Limit)]
	hits := s.recall(q).Hits
	if len(hits) != len(want) {
		t.Fatalf("Recall(%+v) = %d hits, want %d", q, len(hits), len(want))
	}
	for i, h := range hits {
		same := func(k int) bool { return k >= 0 && k < len(want) && round(want[k].score) == round(want[i].score) }
		id, near := s.rows[h.Row].id, math.Abs(h.Score-want[i].score) < 1e-8
		if tied := same(i-1) || same(i+1) || i == len(want)-1; !near || id != want[i].id && !tied {
			t.Fatalf("hit %d of %+v = %s %v, want %s %v", i, q, id, h.Score, want[i].id, want[i].score)
		}
	}
}
