package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
)

// oracle is what a space must hold, in plain maps.
type oracle struct {
	memories map[string]*ideal
	links    map[[3]string]float64 // from, to, type -> weight
	keys     map[string]engram.Outcome
	concepts map[string]bool // those that Consolidate wrote
	past     []snapshot      // after each step, oldest first
	sources  map[string]dynamics.Reliability
	verdicts []verdict
	judged   []string // every judgement, in order
	born     int      // memories so far
	model    string   // what made the vectors
	building *rebuilt // nil if none are being built
}

type ideal struct {
	born         int             // counts memories in the order in which they came
	versions     []engram.Memory // oldest first, without embeddings of the engine's making
	archivedAt   time.Time       // zero if active
	spans        []engram.Span
	supersededBy string
	supersededAt time.Time
	reinforced   int
	life         *life     // nil while nobody said anything of it
	judgedAt     time.Time // when something was last said of it
}

func (i *ideal) current() *engram.Memory { return &i.versions[len(i.versions)-1] }

func newOracle() *oracle {
	return &oracle{
		memories: map[string]*ideal{}, links: map[[3]string]float64{}, keys: map[string]engram.Outcome{},
		concepts: map[string]bool{},
		sources:  map[string]dynamics.Reliability{},
	}
}

// player drives the engine and the oracle with the same random operations.
type player struct {
	t      *testing.T
	w      *world
	rng    *rand.Rand
	oracle *oracle
	next   int
	// refused are drafts without an id that were refused for what they referred to, which is not in them.
	refused []engram.Draft
}

var oracleWords = strings.Fields("river stone window copper lantern harvest anchor violet thunder paper orchard signal")

func (p *player) text() string {
	n := 2 + p.rng.IntN(6)
	words := make([]string, n)
	for i := range words {
		words[i] = oracleWords[p.rng.IntN(len(oracleWords))]
	}
	if p.rng.IntN(8) == 0 {
		words[0] = inGerman + words[0]
	}
	return strings.Join(words, " ")
}

// anyID picks a known id, or now and then one that does not exist.
func (p *player) anyID() string {
	ids := slices.Sorted(maps.Keys(p.oracle.memories))
	if len(ids) == 0 || p.rng.IntN(12) == 0 {
		return "nobody"
	}
	return ids[p.rng.IntN(len(ids))]
}

func (p *player) vector() []float32 {
	if p.rng.IntN(3) > 0 {
		return nil
	}
	v := make([]float32, 8)
	for i := range v {
		v[i] = float32(p.rng.NormFloat64())
	}
	return v
}

func (p *player) draft() engram.Draft {
	p.next++
	d := engram.Draft{
		ID: fmt.Sprintf("m%d", p.next), Content: p.text(), Embedding: p.vector(),
		Session: []string{"", "s1", "s2"}[p.rng.IntN(3)], Speaker: []string{"", "Ada", "Bo"}[p.rng.IntN(3)],
		OccurredAt: day(1 + p.rng.IntN(20)),
	}
	if p.rng.IntN(2) == 0 {
		d.Tags = []string{"t" + strconv.Itoa(p.rng.IntN(4))}
	}
	if p.rng.IntN(5) == 0 {
		d.ID = p.anyID()
	}
	if p.rng.IntN(8) == 0 {
		d.Language = "french"
	}
	if p.rng.IntN(6) == 0 {
		d.IdempotencyKey = "k" + strconv.Itoa(p.rng.IntN(1000))
	}
	if target, ok := p.oracle.memories[p.anyID()]; ok && p.rng.IntN(6) == 0 {
		d.Links = []engram.Link{{To: target.current().ID, Weight: new(0.5)}}
	}
	return d
}

func (p *player) step() {
	defer p.remind()
	p.w.clock.set(p.w.clock.tell().Add(time.Duration(p.rng.IntN(1000)) * time.Second))
	switch n := p.rng.IntN(100); {
	case n < 26:
		p.remember()
	case n < 29:
		p.reembed()
	case n < 36:
		p.unnamed()
	case n < 38:
		p.consolidate()
	case n < 39:
		p.undo()
	case n < 40:
		p.restate()
	case n < 55:
		p.update()
	case n < 65:
		p.forget()
	case n < 70:
		p.restore()
	case n < 80:
		p.link()
	case n < 84:
		p.unlink()
	case n < 90:
		p.supersede()
	case n < 93:
		p.reinforce()
	case n < 96:
		p.feedback()
	case n < 97:
		o := engram.CompactOptions{Tier: []engram.Tier{"", engram.TierCold, engram.TierCold, engram.TierWarm}[p.next%4]}
		if _, err := p.w.def().Compact(p.t.Context(), o); err != nil {
			p.t.Fatalf("Compact = %v", err)
		}
	case n < 98:
		if err := p.w.def().Seal(p.t.Context()); err != nil {
			p.t.Fatalf("Seal = %v", err)
		}
	default:
		p.w.reopen()
	}
}

func (p *player) remember() {
	d := p.draft()
	out, err := p.w.def().Remember(p.t.Context(), d)
	known, exists := p.oracle.memories[d.ID]
	if _, used := p.oracle.keys[d.IdempotencyKey]; d.IdempotencyKey != "" && used {
		p.expect("remember with a used key", err, engram.ErrConflict) // every draft differs
		return
	}
	if exists {
		// Contents are drawn at random: equal ones are possible, everything else would have to be equal too.
		was := known.current()
		if err == nil && was.Content == d.Content && (d.Language == "" || codeOf(d.Language) == was.Language) {
			known.reinforced++
			p.toldAgain(known, d.Source)
			p.learn(d, out)
			return
		}
		p.expect("remember with a taken id", err, engram.ErrConflict)
		return
	}
	if d.ID == "" {
		d.ID = out.ID
	}
	p.expect("remember", err, nil)
	p.oracle.add(d.ID, &ideal{versions: []engram.Memory{{
		ID: d.ID, Content: d.Content, Kind: "note", Tags: d.Tags, Speaker: d.Speaker, Session: d.Session,
		OccurredAt: d.OccurredAt, Embedding: d.Embedding, CreatedAt: p.w.clock.tell(),
		UpdatedAt: p.w.clock.tell(), Version: 1, Language: codeOf(d.Language),
	}}})
	p.learn(d, out)
}

func (p *player) learn(d engram.Draft, out engram.Outcome) {
	for _, l := range d.Links {
		p.oracle.links[[3]string{out.ID, l.To, "relates_to"}] = *l.Weight
	}
	if d.IdempotencyKey != "" {
		p.oracle.keys[d.IdempotencyKey] = out
	}
}

func (p *player) expect(what string, got, want error) {
	p.t.Helper()
	if !errors.Is(got, want) {
		p.t.Fatalf("%s = %v, want %v", what, got, want)
	}
}

func (p *player) update() {
	id := p.anyID()
	content := p.text()
	change := engram.Change{Content: &content, Reason: "r"}
	if p.rng.IntN(4) == 0 {
		change.Language = new([]string{"", "it", "french"}[p.rng.IntN(3)])
	}
	out, err := p.w.def().Update(p.t.Context(), id, change)
	m, ok := p.oracle.memories[id]
	switch {
	case !ok:
		p.expect("update of nobody", err, engram.ErrNotFound)
	case m.archived() || m.supersededBy != "":
		p.expect("update of an inactive memory", err, engram.ErrConflict)
	default:
		p.expect("update", err, nil)
		next := *m.current()
		same := next.Content == content
		next.Content = content
		speak(&next, change.Language, same)
		if was := m.current(); same && next.Language == was.Language && next.LanguageDetected == was.LanguageDetected {
			want(p.t, "outcome", out.Result, engram.Unchanged)
			return
		}
		next.Version, next.UpdatedAt, next.Reason = next.Version+1, p.w.clock.tell(), "r"
		if !same {
			next.Embedding = nil
			p.changedContent(m)
		}
		m.versions = append(m.versions, next)
		want(p.t, "version", out.Version, next.Version)
		want(p.t, "outcome", out.Result, engram.Updated)
	}
}

func (p *player) forget() {
	id := p.anyID()
	mode := engram.Archive
	if p.rng.IntN(2) == 0 {
		mode = engram.Erase
	}
	report, err := p.w.def().Forget(p.t.Context(), engram.ForgetRequest{IDs: []string{id}, Mode: mode})
	p.expect("forget", err, nil)
	m, ok := p.oracle.memories[id]
	expected := engram.ForgetReport{}
	switch {
	case !ok:
		expected.Missing = []string{id}
	case mode == engram.Archive && m.archived():
	case mode == engram.Archive:
		expected.Matched, expected.Archived = 1, 1
		m.archivedAt = p.w.clock.tell()
	default:
		expected.Matched, expected.Erased = 1, 1
		p.oracle.erase(id)
	}
	want(p.t, "forget", report, expected)
}

// erase takes a memory out of everything.
func (o *oracle) erase(id string) {
	delete(o.memories, id)
	o.stale(id, 0)
	o.judged = slices.DeleteFunc(o.judged, func(s string) bool { return strings.HasPrefix(s, id+" ") })
	maps.DeleteFunc(o.keys, func(_ string, out engram.Outcome) bool { return out.ID == id })
	for _, m := range o.memories {
		if m.supersededBy == id {
			m.supersededBy = "(erased)" // its id is forgotten with it
		}
	}
	o.forgetInPast(id)
	maps.DeleteFunc(o.links, func(k [3]string, _ float64) bool { return k[0] == id || k[1] == id })
}

func (p *player) restore() {
	id := p.anyID()
	_, err := p.w.def().Restore(p.t.Context(), id)
	m, ok := p.oracle.memories[id]
	switch {
	case !ok:
		p.expect("restore of nobody", err, engram.ErrNotFound)
	case !m.archived():
		p.expect("restore of an active memory", err, engram.ErrConflict)
	default:
		p.expect("restore", err, nil)
		if now := p.w.clock.tell(); m.archivedAt.Before(now) {
			m.spans = append(m.spans, engram.Span{From: m.archivedAt, Until: now})
		}
		m.archivedAt = time.Time{}
		p.oracle.stale(id, m.current().Version) // the version is stored anew
		p.replacedWith(p.conceptOf(id), m)
	}
}

func (p *player) reinforce() {
	id := p.anyID()
	m, ok := p.oracle.memories[id]
	if !ok || m.archived() {
		return
	}
	source := []string{"", "Ada", "Cy"}[p.rng.IntN(3)]
	out, err := p.w.def().Remember(p.t.Context(), engram.Draft{ID: id, Content: m.current().Content, Source: source})
	p.expect("reinforce", err, nil)
	want(p.t, "reinforce", out.Result, engram.Reinforced)
	m.reinforced++
	p.toldAgain(m, source)
}

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestOracle plays long random histories with sealings and reopenings. ENGRAM_ORACLE_SEEDS and ENGRAM_ORACLE_STEPS make
// it longer.
func TestOracle(t *testing.T) {
	seeds, steps := envInt("ENGRAM_ORACLE_SEEDS", 12), envInt("ENGRAM_ORACLE_STEPS", 300)
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			p := &player{
				t: t, w: newWorld(t, engram.Options{LinkUsedTogether: true}),
				rng: rand.New(rand.NewPCG(uint64(seed), 1)), oracle: newOracle(),
			}
			for i := range steps {
				p.step()
				if i%25 == 0 {
					p.compare(p.w.def())
					p.compareVectors(p.w.def())
					p.compareFeedback(p.w.def())
				}
			}
			p.compare(p.w.def())
			p.compareFeedback(p.w.def())
			p.transfer()
		})
	}
}

// transfer exports the space, imports it into another, and compares that with the oracle too; then both must export
// the same and answer the same.
func (p *player) transfer() {
	var first, second bytes.Buffer
	if _, err := p.w.def().Export(p.t.Context(), &first); err != nil {
		p.t.Fatalf("Export = %v", err)
	}
	other := p.w.space("copy")
	for range 2 { // the second time changes nothing
		report, err := other.Import(p.t.Context(), bytes.NewReader(first.Bytes()), engram.ImportOptions{})
		if err != nil || report.BadCount > 0 {
			p.t.Fatalf("Import = %+v, %v", report, err)
		}
	}
	p.compare(other)
	p.compareFeedback(other)
	if _, err := other.Export(p.t.Context(), &second); err != nil {
		p.t.Fatalf("Export = %v", err)
	}
	want(p.t, "export of the import", sortedLines(second.String()), sortedLines(first.String()))
	for range 10 {
		cue := engram.Cue{Text: p.text(), Limit: 20, Explain: true}
		if p.rng.IntN(2) == 0 {
			cue.Embedding = []float32{1, -1, .5, 0, 2, 1, 1, 0}
		}
		if p.rng.IntN(2) == 0 {
			cue.AsOf = p.oracle.past[p.rng.IntN(len(p.oracle.past))].at
		}
		want(p.t, "recall from the import", answerOf(p.t, other, cue), answerOf(p.t, p.w.def(), cue))
	}
}

// answerOf is an answer without what depends on where a memory is held.
func answerOf(t *testing.T, s *engram.Space, cue engram.Cue) engram.Answer {
	t.Helper()
	answer, err := s.Recall(t.Context(), cue)
	if err != nil {
		t.Fatalf("Recall(%+v) = %v", cue, err)
	}
	for i := range answer.Hits {
		answer.Hits[i].Tier = ""
	}
	return answer
}

// TestSameAnswers: the same memories, ingested in any order, sealed at any point, reopened, compacted, and exported and
// imported, with another one erased, give the same answers to the last bit.
func TestSameAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var drafts []engram.Draft
	for i := range 120 {
		var words []string
		for range 3 + rng.IntN(8) {
			words = append(words, oracleWords[rng.IntN(len(oracleWords))])
		}
		v := make([]float32, 16)
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		drafts = append(drafts, engram.Draft{
			ID: fmt.Sprintf("turn-%d", i), Content: strings.Join(words, " "), Session: fmt.Sprintf("s%d", i%7),
			Speaker: []string{"Ada", "Bo"}[i%2], OccurredAt: day(1 + i%5), Embedding: v,
		})
	}
	cues := []engram.Cue{
		{Text: "copper lantern", Limit: 50},
		{Text: "what of the orchard and the river in March", Limit: 20, Explain: true},
		{Embedding: drafts[3].Embedding, Limit: 20},
		{Text: "thunder", Embedding: drafts[9].Embedding, Limit: 30},
		{Limit: 40, Speaker: "Ada"},
	}
	var reference []engram.Answer
	for round := range 4 {
		w := newWorld(t, engram.Options{LinkUsedTogether: true})
		s := w.def()
		for i, at := range rng.Perm(len(drafts)) {
			remember(t, s, drafts[at])
			if round > 0 && i%37 == 36 {
				if err := s.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		stage := 0
		check := func(s *engram.Space) {
			t.Helper()
			for i, cue := range cues {
				got := answerOf(t, s, cue)
				if len(reference) < len(cues) {
					reference = append(reference, got)
					continue
				}
				want(t, fmt.Sprintf("round %d stage %d cue %d", round, stage, i), got, reference[i])
			}
			stage++
		}
		check(s)
		remember(t, s, engram.Draft{ID: "gone", Content: "copper lantern, thunder and the orchard", Session: "s1"})
		_, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"gone"}, Mode: engram.Erase})
		if err != nil {
			t.Fatal(err)
		}
		w.stages(check)
		if _, err := w.def().Compact(t.Context(), engram.CompactOptions{}); err != nil {
			t.Fatal(err)
		}
		w.stages(check)
	}
}
