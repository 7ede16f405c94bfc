package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

func completeIn(t *testing.T, s *engram.Space, p engram.Partial) engram.Completion {
	t.Helper()
	c, err := s.Complete(t.Context(), p)
	if err != nil {
		t.Fatalf("Complete(%+v) = %v", p, err)
	}
	if !c.Reconstructed {
		t.Errorf("Complete(%+v) is not called reconstructed", p)
	}
	return c
}

func fieldIn(c engram.Completion, name string) engram.CompletedField {
	for _, f := range c.Fields {
		if f.Name == name {
			return f
		}
	}
	return engram.CompletedField{}
}

func TestCompleteByWords(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, place := range []string{"Lisbon", "Lisbon", "Porto"} {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("m", i), Content: "Ada rehearses the quartet", Speaker: "Ines", Session: fmt.Sprint("s", i),
			Metadata: map[string]string{"place": place}, OccurredAt: day(1 + i),
		})
	}
	remember(t, s, engram.Draft{
		ID: "other", Content: "The boiler leaks", Metadata: map[string]string{"place": "cellar"},
	})
	c := completeIn(t, s, engram.Partial{Cue: engram.Cue{Text: "quartet rehearsal"}})
	place := fieldIn(c, "metadata.place")
	if place.Value != "Lisbon" || !place.Ambiguous || !c.Ambiguous || len(place.Members) != 2 ||
		len(place.Rivals) != 1 || math.Abs(place.Confidence-2./3) > 1e-9 || place.Rivals[0].Value != "Porto" {
		t.Errorf("place = %+v", place)
	}
	if who := fieldIn(c, "speaker"); who.Value != "Ines" || who.Ambiguous || len(who.Members) != 3 {
		t.Errorf("speaker = %+v: three memories agree, none stands alone", who)
	}
	// Known fields narrow it down; what is known is not completed.
	c = completeIn(t, s, engram.Partial{
		Cue: engram.Cue{Text: "quartet rehearsal", Speaker: "Ines"}, Metadata: map[string]string{"place": "Porto"},
	})
	when := fieldIn(c, "occurred_at")
	if when.Value != "2026-03-03T09:00:00Z" || c.Ambiguous || when.Members[0].ID != "m2" {
		t.Errorf("occurred_at = %+v", when)
	}
	want(t, "given fields", []string{fieldIn(c, "speaker").Name, fieldIn(c, "metadata.place").Name}, []string{"", ""})
	// Known fields alone; fields as asked for.
	c = completeIn(t, s, engram.Partial{
		Cue: engram.Cue{Session: "s1"}, Fields: []string{"content", "metadata.place", "source"},
	})
	want(t, "by", c.By, "fields")
	want(t, "fields", c.Fields, []engram.CompletedField{
		{
			Name: "content", Value: "Ada rehearses the quartet", Confidence: 1,
			Members: []engram.Member{{ID: "m1", Weight: 1}},
		},
		{Name: "metadata.place", Value: "Lisbon", Confidence: 1, Members: []engram.Member{{ID: "m1", Weight: 1}}},
	})
	for _, p := range []engram.Partial{
		{Cue: engram.Cue{Text: "zeppelin"}},
		{Metadata: map[string]string{"place": "Rome"}},
		{Cue: engram.Cue{Speaker: "Bo"}},
	} {
		if c := completeIn(t, s, p); !c.Novel || len(c.Fields)+len(c.Members) > 0 {
			t.Errorf("Complete(%+v) = %+v, want novel", p, c)
		}
	}
}

// direction is a random unit vector of its own for each name.
func direction(name string, dim int) []float64 {
	var seed [32]byte
	copy(seed[:], name)
	r := rand.New(rand.NewChaCha8(seed))
	v, sum := make([]float64, dim), 0.0
	for i := range v {
		v[i] = r.NormFloat64()
		sum += v[i] * v[i]
	}
	for i := range v {
		v[i] /= math.Sqrt(sum)
	}
	return v
}

// embedded is the sum of the directions of names: an embedding of which parts can be missing.
func embedded(dim int, names ...string) []float32 {
	out := make([]float32, dim)
	for _, name := range names {
		for i, x := range direction(name, dim) {
			out[i] += float32(x)
		}
	}
	return out
}

func TestCompleteByVectors(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	const dim = 128
	for i := range 200 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprintf("note%d", i), Source: fmt.Sprint("source", i),
			Embedding: embedded(dim, fmt.Sprint("thing", i)),
		})
	}
	mask := make([]bool, dim)
	for i := range mask {
		mask[i] = i%2 == 0
	}
	cue := engram.Partial{Cue: engram.Cue{Embedding: embedded(dim, "thing7")}, Mask: mask}
	for i := range cue.Embedding {
		if !mask[i] {
			cue.Embedding[i] = 99 // not known: it must not matter
		}
	}
	c := completeIn(t, s, cue)
	if f := fieldIn(c, "source"); c.By != "vectors" || c.Ambiguous || f.Value != "source7" || f.Confidence < .99 {
		t.Errorf("half a vector completes to %+v", c)
	}
	// What is completed is the whole vector, within the bound.
	sum := 0.0
	for i, x := range embedded(dim, "thing7") {
		sum += math.Pow(float64(c.Embedding[i]-x), 2)
	}
	if math.Sqrt(sum) > *c.Bound+1e-5 || *c.Bound > .1 {
		t.Errorf("the completed vector is %v away, its bound is %v", math.Sqrt(sum), *c.Bound)
	}
	// Between two memories there is no answer, and it says so.
	c = completeIn(t, s, engram.Partial{Cue: engram.Cue{Embedding: embedded(dim, "thing7", "thing8")}})
	if f := fieldIn(c, "source"); !c.Ambiguous || !f.Ambiguous || len(f.Rivals) == 0 {
		t.Errorf("a vector between two memories = %+v", c)
	}
	if c := completeIn(t, s, engram.Partial{Cue: engram.Cue{Embedding: embedded(dim, "unknown")}}); !c.Novel {
		t.Errorf("a vector that resembles nothing = %+v", c)
	}
}

// TestCompleteNamesNoGhosts is D1: whatever the cue, every id named is one that was stored and is current, and a
// mixture that no memory has never becomes one.
func TestCompleteNamesNoGhosts(t *testing.T) {
	const seed = 35
	r := rand.New(rand.NewPCG(seed, 1))
	p := &player{t: t, w: newWorld(t, engram.Options{LinkUsedTogether: true}), rng: r, oracle: newOracle()}
	for i := range 300 {
		p.step()
		if i%10 > 0 {
			continue
		}
		cue := engram.Partial{Cue: engram.Cue{Text: p.text()}}
		switch r.IntN(3) {
		case 0:
			cue.Text, cue.Embedding = "", []float32{1, 2, float32(r.NormFloat64()), 0, 0, 1, 0, 3}
			cue.Mask = []bool{true, true, true, false, true, false, true, true}
		case 1:
			cue.Text, cue.Session = "", "s1"
		}
		c := completeIn(t, p.w.def(), cue)
		members := slices.Clone(c.Members)
		for _, f := range c.Fields {
			members = append(members, f.Members...)
		}
		for _, m := range members {
			known, ok := p.oracle.memories[m.ID]
			if !ok || known.archived() || known.supersededBy != "" {
				t.Fatalf("seed %d: Complete named %q, which is not a current memory", seed, m.ID)
			}
		}
		answer := answerOf(t, p.w.def(), engram.Cue{Text: p.text(), Limit: 1000})
		for _, h := range answer.Hits {
			if _, ok := p.oracle.memories[h.ID]; !ok {
				t.Fatalf("seed %d: Recall named %q, which was never stored", seed, h.ID)
			}
		}
	}
}

// TestCompletionSurvives: the same completion to the last bit after sealing, reopening, export and import.
func TestCompletionSurvives(t *testing.T) {
	w := newWorld(t, engram.Options{})
	r := rand.New(rand.NewPCG(1, 9))
	for i := range 60 {
		remember(t, w.def(), engram.Draft{
			ID: fmt.Sprint("m", i), Content: oracleWords[r.IntN(12)] + " " + oracleWords[r.IntN(12)],
			Speaker: fmt.Sprint(i % 4), Embedding: embedded(64, oracleWords[i%12], oracleWords[r.IntN(12)]),
		})
	}
	cues := []engram.Partial{
		{Cue: engram.Cue{Text: "copper river"}},
		{Cue: engram.Cue{Embedding: embedded(64, "copper", "river")}},
		{Cue: engram.Cue{Speaker: "2"}},
		{Cue: engram.Cue{Text: "stone", Embedding: embedded(64, "stone")}},
	}
	answers := func(s *engram.Space) (out []engram.Completion) {
		for _, cue := range cues {
			out = append(out, completeIn(t, s, cue))
		}
		return out
	}
	before := answers(w.def())
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "sealed", answers(w.def()), before)
	w.reopen()
	want(t, "reopened", answers(w.def()), before)
	var export bytes.Buffer
	if _, err := w.def().Export(t.Context(), &export); err != nil {
		t.Fatal(err)
	}
	if _, err := w.space("copy").Import(t.Context(), &export, engram.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	want(t, "imported", answers(w.space("copy")), before)
}

// calibration is the expected calibration error over ten bins of equal width.
func calibration(confidences []float64, right []bool) float64 {
	var sums, hits, counts [10]float64
	for i, c := range confidences {
		bin := min(int(c*10), 9)
		sums[bin] += c
		counts[bin]++
		if right[i] {
			hits[bin]++
		}
	}
	sum := 0.0
	for bin := range counts {
		sum += math.Abs(sums[bin] - hits[bin])
	}
	return sum / float64(len(confidences))
}

// TestCompletionIsCalibrated is H5: stored records of which half of the fields are masked. The generator has nothing of
// the engine's: fields are drawn with unequal frequencies and depend on each other, and several records fit most cues.
// With fewer dimensions, chance similarities of unrelated fields reach the weights: up to .06 at 192.
func TestCompletionIsCalibrated(t *testing.T) {
	const dim, records, fields, values, queries = 768, 400, 6, 5, 1000
	r := rand.New(rand.NewPCG(20, 26))
	w := newWorld(t, engram.Options{})
	s := w.def()
	name := func(field int, value string) string { return fmt.Sprintf("f%dv%s", field, value) }
	all := make([]map[string]string, records)
	var drafts []engram.Draft
	for i := range all {
		all[i] = map[string]string{}
		topic := r.IntN(values)
		var words []string
		for f := range fields {
			v := topic
			if r.IntN(3) > 0 {
				v = min(r.IntN(values), r.IntN(values))
			}
			all[i][fmt.Sprint(f)] = fmt.Sprint(v)
			words = append(words, name(f, fmt.Sprint(v)))
		}
		drafts = append(drafts, engram.Draft{
			ID: fmt.Sprint("r", i), Content: strings.Join(words, " "), Metadata: all[i],
			Embedding: embedded(dim, words...), OccurredAt: day(1),
		})
	}
	if _, err := s.RememberBatch(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"fields", "scores", "vectors"} {
		var confidences []float64
		var right []bool
		for range queries {
			record := all[r.IntN(records)]
			order := r.Perm(fields)
			var known, wanted []string
			metadata := map[string]string{}
			for _, f := range order[:fields/2] {
				known = append(known, name(f, record[fmt.Sprint(f)]))
				metadata[fmt.Sprint(f)] = record[fmt.Sprint(f)]
			}
			for _, f := range order[fields/2:] {
				wanted = append(wanted, "metadata."+fmt.Sprint(f))
			}
			p := engram.Partial{Fields: wanted}
			switch by {
			case "fields":
				p.Metadata = metadata
			case "scores":
				p.Text = strings.Join(known, " ")
			case "vectors":
				p.Embedding = embedded(dim, known...)
			}
			c := completeIn(t, s, p)
			want(t, "by", c.By, by)
			for _, f := range c.Fields {
				confidences = append(confidences, f.Confidence)
				right = append(right, f.Value == record[strings.TrimPrefix(f.Name, "metadata.")])
			}
		}
		ece := calibration(confidences, right)
		t.Logf("%s: %d fields, calibration error %.3f", by, len(confidences), ece)
		if len(confidences) < 3*queries*9/10 || ece > .05 {
			t.Errorf("by %s: calibration error of %d fields = %.3f, at most .05 is allowed", by, len(confidences), ece)
		}
		// The guard: certainty in place of the vote is not calibrated.
		for i := range confidences {
			confidences[i] = 1
		}
		if calibration(confidences, right) <= .05 {
			t.Errorf("by %s: answers that are always certain pass as well", by)
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	v := make([]float32, 8)
	v[3] = 1
	for what, p := range map[string]engram.Partial{
		"query":     {},
		"explain":   {Cue: engram.Cue{Text: "x", Explain: true}},
		"compete":   {Cue: engram.Cue{Text: "x", Compete: true}},
		"max_token": {Cue: engram.Cue{Text: "x", MaxTokens: 100}},
		"max_time":  {Cue: engram.Cue{Text: "x", MaxTime: 100}},
		"mask":      {Cue: engram.Cue{Embedding: v}, Mask: []bool{true}},
		"embedding": {Cue: engram.Cue{Embedding: v}, Mask: []bool{true, true, true, false, true, true, true, true}},
		"fields[0]": {Cue: engram.Cue{Text: "x"}, Fields: []string{"Kind"}},
		"fields[1]": {Cue: engram.Cue{Text: "x"}, Fields: []string{"kind", "kind"}},
		"fields[2]": {Cue: engram.Cue{Text: "x"}, Fields: []string{"kind", "speaker", "metadata."}},
		"limit":     {Cue: engram.Cue{Text: "x", Limit: -1}},
		"without":   {Cue: engram.Cue{Speaker: "x", Without: []string{"association"}}},
	} {
		_, err := s.Complete(t.Context(), p)
		if !errors.Is(err, engram.ErrInvalid) || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("Complete(%+v) = %v, want %s refused", p, err, what)
		}
	}
}

// TestCompetition is I1 to I3 on the lexical score: every rival to the same cue takes from the first, rivals to other
// cues take nothing, and what is not known leaves all to "none of these".
func TestCompetition(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i := range 100 { // so that words weigh what they weigh in a memory of some size
		remember(t, s, engram.Draft{ID: fmt.Sprint("f", i), Content: fmt.Sprintf("filler%d other%d matter%d", i, i, i)})
	}
	remember(t, s, engram.Draft{ID: "first", Content: "the copper lantern opens with violet"})
	ask := func(limit int) (p, none float64) {
		answer := answerOf(t, s, engram.Cue{Text: "copper lantern", Compete: true, Limit: limit})
		sum := *answer.None
		for i, h := range answer.Hits {
			sum += *h.Probability
			if i > 0 && *h.Probability > *answer.Hits[i-1].Probability {
				t.Errorf("hit %d is more probable than the one before it", i)
			}
			if h.ID == "first" {
				p = *h.Probability
			}
		}
		if sum > 1+1e-9 || limit > 30 && sum < 1-1e-9 {
			t.Errorf("probabilities add up to %v", sum)
		}
		return p, *answer.None
	}
	last, _ := ask(50)
	if last < .7 {
		t.Errorf("alone: P = %v", last)
	}
	for i := range 20 {
		remember(t, s, engram.Draft{ID: fmt.Sprint("b", i), Content: fmt.Sprintf("the copper boat%d sank", i*7)})
		remember(t, s, engram.Draft{ID: fmt.Sprint("g", i), Content: fmt.Sprintf("the tin bucket%d rusts", i*7)})
	}
	dissimilar, _ := ask(50)
	if dissimilar < last-.1 {
		t.Errorf("rivals to other cues: P falls from %v to %v", last, dissimilar)
	}
	last = 1
	for i := range 20 {
		p, _ := ask(50)
		if p >= last {
			t.Errorf("%d rivals: P = %v after %v", i, p, last)
		}
		last = p
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("r", i), Content: "the copper lantern opens with " + fmt.Sprint("key", i),
		})
	}
	if last > .35 {
		t.Errorf("19 rivals: P = %v", last)
	}
	all, none := ask(50)
	if few, noneOfFew := ask(1000); few != all || none != noneOfFew {
		t.Errorf("P depends on the limit: %v and %v, none %v and %v", all, few, none, noneOfFew)
	}
	answer := answerOf(t, s, engram.Cue{Text: "zeppelin", Compete: true})
	want(t, "none of nothing", *answer.None, 1.)
	if _, err := s.Recall(t.Context(), engram.Cue{Compete: true}); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Recall that competes by time = %v", err)
	}
	if answer := answerOf(t, s, engram.Cue{Text: "copper"}); answer.None != nil || answer.Hits[0].Probability != nil {
		t.Error("probabilities that nobody asked for")
	}
}
