package recall_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
)

const (
	hour = int64(3600e9)
	day  = 24 * hour
)

// memory is what tests remember.
type memory struct {
	id, text, speaker, session, kind string
	tags                             []string
	at                               int64
	zone                             int16 // minutes east of UTC
	dated                            bool  // at is indexed
	from, until, expires             int64 // 0 is none here
	confidence                       float64
	vector                           []float32
}

// space is a store in memory, with one version for each memory.
type space struct {
	t          testing.TB
	rows       []memory
	entries    map[string]uint32
	facts      isolate.Column[recall.Facts]
	ends       isolate.Stamps
	known      isolate.Stamps
	current    recall.Population
	all        recall.Population
	superseded map[uint32]int64
	symbols    map[string]uint32
	sets       [][]uint32
	words      *lexical.Index
	chain      *graph.Chain
	links      *graph.Links
	position   uint64
	dim        int
	metric     ann.Metric
	vectors    *segment.Hot
	expiring   bool
	damaged    map[uint32]bool
	parts      []ann.Part // instead of vectors, if not nil
	histories  map[uint32]*dynamics.State
}

func newSpace(t testing.TB, options lexical.Options) *space {
	t.Helper()
	words, err := lexical.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return &space{
		t: t, entries: map[string]uint32{}, superseded: map[uint32]int64{}, symbols: map[string]uint32{"": 0},
		sets: [][]uint32{nil}, words: words, chain: graph.NewChain(), links: graph.NewLinks(),
		vectors: segment.NewHot(0), damaged: map[uint32]bool{},
	}
}

func (s *space) symbol(name string) uint32 {
	v, ok := s.symbols[name]
	if !ok {
		v = uint32(len(s.symbols))
		s.symbols[name] = v
	}
	return v
}

func orNone(t int64) int64 {
	if t == 0 {
		return recall.NoTime
	}
	return t
}

// add remembers m and returns its row.
func (s *space) add(m memory) uint32 {
	row := uint32(len(s.rows))
	s.rows = append(s.rows, m)
	s.entries[m.id] = row
	var set []uint32
	for _, tag := range m.tags {
		set = append(set, s.symbol(tag))
	}
	s.sets = append(s.sets, set)
	s.facts.Set(row, recall.Facts{
		OccurredAt: m.at, ValidFrom: orNone(m.from), ValidUntil: orNone(m.until), ExpiresAt: orNone(m.expires),
		Entry: row, Kind: s.symbol(m.kind), Speaker: s.symbol(m.speaker), Session: s.symbol(m.session),
		Tags: uint32(len(s.sets) - 1), StoredVector: m.vector != nil, Zone: m.zone,
	})
	s.expiring = s.expiring || m.expires != 0
	s.words.Add(row, s.words.Prepare(document(m)))
	body := []byte(nil)
	s.vectors.Add(segment.Identity{LSN: s.position}, 0, body, m.vector)
	if m.vector != nil {
		s.dim = len(m.vector)
	}
	if m.session != "" {
		s.chain.Insert(s.symbol(m.session), row, s.before)
	}
	s.position++
	s.ends.Set(row, isolate.Never)
	s.known.Set(row, isolate.Never)
	for _, p := range []*recall.Population{&s.current, &s.all} {
		p.Docs++
		p.Tokens += int64(s.words.Length(row))
	}
	return row
}

func (s *space) before(a, b uint32) bool {
	x, y := s.rows[a], s.rows[b]
	if x.at != y.at {
		return x.at < y.at
	}
	if len(x.id) != len(y.id) {
		return len(x.id) < len(y.id)
	}
	return x.id < y.id
}

// forget takes a memory out; supersede leaves it known, as true until then.
func (s *space) forget(id string) {
	row := s.entries[id]
	s.position++
	s.end(&s.ends, &s.current, row)
	s.end(&s.known, &s.all, row)
}

func (s *space) supersede(id string, until int64) {
	row := s.entries[id]
	s.position++
	s.superseded[row] = until
	s.end(&s.ends, &s.current, row)
}

func (s *space) end(ends *isolate.Stamps, p *recall.Population, row uint32) {
	ends.Set(row, s.position)
	p.Docs--
	p.Tokens -= int64(s.words.Length(row))
}

func (s *space) link(a, b string, weight float32) {
	s.position++
	s.links.Set(s.entries[a], s.entries[b], "relates_to", weight, s.position)
}

func (s *space) corpus() *recall.Corpus {
	current, all := s.current, s.all
	current.Ends, all.Ends = &s.ends, &s.known
	parts := s.parts
	if parts == nil {
		parts = []ann.Part{{Source: s.vectors}}
	}
	return &recall.Corpus{
		Rows: uint32(len(s.rows)), Position: s.position, Facts: &s.facts, Current: current, Known: all,
		Expiring: s.expiring, Words: s.words, Chain: s.chain, Links: s.links, Vectors: parts, Dim: s.dim,
		Metric: s.metric, Source: s, Touched: len(s.histories),
	}
}

var errDamaged = errors.New("damaged")

func (s *space) ID(row uint32) (string, error) {
	if s.damaged[row] {
		return "", errDamaged
	}
	return s.rows[row].id, nil
}

func (s *space) Row(entry uint32) (uint32, bool) { return entry, true }

func (s *space) Until(row uint32) int64 {
	if until, ok := s.superseded[row]; ok {
		return until
	}
	return recall.NoTime
}

func (s *space) History(row uint32) (dynamics.State, bool) {
	if st := s.histories[row]; st != nil {
		return *st, true
	}
	return dynamics.State{}, false
}

func (s *space) Standing(row uint32) (dynamics.Standing, bool) {
	st, told := s.History(row)
	return st.Standing(), told
}

// Confidence is what was said of it, or the memory's own.
func (s *space) Confidence(row uint32) float64 {
	if st := s.histories[row]; st != nil {
		return st.Tally.Confidence()
	}
	return s.rows[row].confidence
}

func (s *space) Symbol(name string) uint32 {
	if v, ok := s.symbols[name]; ok {
		return v
	}
	return recall.NoSymbol
}

func (s *space) Text(row uint32) (string, error) {
	if s.damaged[row] {
		return "", errDamaged
	}
	return s.rows[row].text, nil
}

func (s *space) Speaks(symbol uint32) bool {
	return slices.ContainsFunc(s.rows, func(m memory) bool { return m.speaker != "" && s.symbols[m.speaker] == symbol })
}

func (s *space) TagSet(set uint32) []uint32 { return s.sets[set] }

// ask is a query with defaults.
func ask(text string) recall.Query {
	return recall.Query{Text: text, Limit: 10, Filters: recall.NoFilters()}
}

func (s *space) recall(q recall.Query) recall.Answer {
	s.t.Helper()
	var e recall.Engine
	answer, err := e.Recall(context.Background(), s.corpus(), q)
	if err != nil {
		s.t.Fatalf("Recall(%q): %v", q.Text, err)
	}
	s.checkSums(answer)
	return answer
}

func (s *space) ids(q recall.Query) []string {
	s.t.Helper()
	return s.idsOf(s.recall(q))
}

func (s *space) idsOf(a recall.Answer) []string {
	ids := []string{}
	for _, h := range a.Hits {
		ids = append(ids, s.rows[h.Row].id)
	}
	return ids
}

// checkSums verifies what holds for every answer: terms add up, details add up, scores descend.
func (s *space) checkSums(a recall.Answer) {
	s.t.Helper()
	near := func(x, y float64) bool { return x-y < 1e-9 && y-x < 1e-9 }
	for i, h := range a.Hits {
		sum := 0.0
		for _, term := range h.Terms {
			sum += term.Value
			part := 0.0
			for _, p := range term.Detail {
				part += p.Value
			}
			if len(term.Detail) > 0 && !near(part, term.Value) {
				s.t.Fatalf("details of %s of %s add up to %v, want %v", term.Name, s.rows[h.Row].id, part, term.Value)
			}
		}
		if !near(sum, h.Score) {
			s.t.Fatalf("terms of %s add up to %v, score is %v", s.rows[h.Row].id, sum, h.Score)
		}
		if !(h.Score > 0) {
			s.t.Fatalf("score of %s is %v", s.rows[h.Row].id, h.Score)
		}
		if i > 0 && h.Score > a.Hits[i-1].Score {
			s.t.Fatalf("hit %d scores above the one before it", i)
		}
	}
}

func equal(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func name(i int) string { return fmt.Sprintf("m%d", i) }

// document is what is indexed of m; times of memories without one are not.
func document(m memory) lexical.Document {
	d := lexical.Document{Content: m.text, Speaker: m.speaker, Tags: m.tags}
	if m.dated {
		d.When = time.Unix(0, m.at).UTC()
	}
	return d
}
