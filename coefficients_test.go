package engram_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// companions fills a space with forty topics: five memories each that have its word, of which four have a neighbour in
// their session that shares no word with them. Questions ask for topics, and judge the hits.
func companions(t *testing.T, w *world, useful func(h *engram.Hit) float64) {
	t.Helper()
	const seed, topics = 3, 40
	rng := rand.New(rand.NewPCG(seed, 4))
	var drafts []engram.Draft
	for topic := range topics {
		drafts = append(drafts, engram.Draft{
			ID: fmt.Sprint("alone ", topic), Content: fmt.Sprintf("topic%dx", topic), OccurredAt: day(2),
		})
		for i := range 4 {
			session := fmt.Sprint(topic, "-", i)
			drafts = append(
				drafts, engram.Draft{
					ID: "told " + session, Session: session, OccurredAt: day(0),
					Content: fmt.Sprintf("topic%dx %s", topic, strings.Repeat("and more ", i)),
				},
				engram.Draft{
					ID: "beside " + session, Session: session, OccurredAt: day(1), Content: "beside " + session,
				},
			)
		}
	}
	if _, err := w.def().RememberBatch(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	for i := range 4 * topics {
		w.clock.set(w.clock.tell().Add(time.Minute))
		answer := answerOf(t, w.def(), topic(i%topics))
		f := engram.Feedback{RecallID: answer.RecallID}
		for _, h := range answer.Hits {
			if rng.Float64() < useful(&h) {
				f.Useful = append(f.Useful, h.ID)
			} else {
				f.Useless = append(f.Useless, h.ID)
			}
		}
		say(t, w.def(), f)
	}
}

// besides says that what was found by its neighbour is of use four times in five, that neighbour once in five, and what
// has the word and no neighbour hardly ever.
func besides(h *engram.Hit) float64 {
	return map[bool]float64{true: .8, false: .2}[strings.HasPrefix(h.ID, "beside")] *
		map[bool]float64{true: .1, false: 1}[strings.HasPrefix(h.ID, "alone")]
}

func topic(i int) engram.Cue {
	return engram.Cue{Text: fmt.Sprintf("topic%dx", i), Limit: 20, Explain: true}
}

// terms are those of each hit, by memory and name.
func termsOf(answer engram.Answer) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, h := range answer.Hits {
		out[h.ID] = map[string]float64{}
		for _, term := range h.Why {
			out[h.ID][term.Name] = term.Value
		}
	}
	return out
}

// TestFittedCoefficients: where what is associated is of use and what has the words is not, scores come to say so: each
// term is multiplied by what was learnt, and all that holds of scores still does; it survives a restart, an export and
// a backup, is no other space's, and can be taken back. What judgements keep of terms is free of it, so that learning
// again gives the same.
func TestFittedCoefficients(t *testing.T) {
	w := newWorld(t, engram.Options{})
	companions(t, w, besides)
	w.clock.set(w.clock.tell().Add(time.Hour))
	before := answerOf(t, w.def(), topic(7))
	dry, err := w.def().Fit(t.Context(), engram.FitOptions{DryRun: true})
	if err != nil || dry.Terms == nil || !dry.Terms.Better || dry.Terms.Adopted || dry.Forgetting != nil ||
		!strings.Contains(dry.Note, "half a day or more") || slices.Contains(w.fs.Files(), modelFile) {
		t.Fatalf("dry run = %+v, %+v, %v", dry, dry.Terms, err)
	}
	want(t, "after a dry run", answerOf(t, w.def(), topic(7)), before)
	r, err := w.def().Fit(t.Context(), engram.FitOptions{})
	if err != nil || !r.Terms.Adopted || r.Adopted || !(r.Terms.AppliedLoss < r.Terms.OnesLoss) {
		t.Fatalf("Fit = %+v, %+v, %v", r, r.Terms, err)
	}
	coefficients := map[string]float64{}
	for _, c := range r.Terms.Coefficients {
		coefficients[c.Name] = c.Applied
	}
	if !(coefficients["words"] < 1) || !(coefficients["association"] > coefficients["words"]) {
		t.Errorf("coefficients %v: words were of no use", coefficients)
	}
	after := answerOf(t, w.def(), topic(7))
	was, is := termsOf(before), termsOf(after)
	want(t, "what is found", slices.Sorted(maps.Keys(is)), slices.Sorted(maps.Keys(was)))
	for _, h := range after.Hits {
		sum := 0.0
		for _, term := range h.Why {
			sum += term.Value
			by := coefficients[term.Name]
			if term.Name != "use" && math.Abs(term.Value-by*was[h.ID][term.Name]) > 1e-9 {
				t.Errorf("%s of %s is %v, was %v, and its coefficient is %v", term.Name, h.ID, term.Value,
					was[h.ID][term.Name], by)
			}
		}
		if math.Abs(sum-h.Score) > 1e-9 || !(h.Score > 0) {
			t.Errorf("terms of %s add up to %v, its score is %v", h.ID, sum, h.Score)
		}
	}
	place := func(a engram.Answer, id string) int {
		return slices.IndexFunc(a.Hits, func(h engram.Hit) bool { return h.ID == id })
	}
	if place(before, "beside 7-1") < place(before, "alone 7") || place(after, "beside 7-1") > place(after, "alone 7") {
		t.Errorf("what is of use comes at %d behind %d, before it was learnt at %d behind %d",
			place(after, "beside 7-1"), place(after, "alone 7"), place(before, "beside 7-1"), place(before, "alone 7"))
	}
	// The space goes by it after a restart, and so do copies.
	w.reopen()
	want(t, "after a restart", answerOf(t, w.def(), topic(7)), after)
	into(t, w.def(), w.space("copy"))
	want(t, "in a copy", termsOf(answerOf(t, w.space("copy"), topic(7))), is)
	remember(t, w.space("other"), engram.Draft{Content: "topic7x"})
	if got := answerOf(t, w.space("other"), topic(7)).Hits[0]; got.Why[0].Value != got.Score || len(got.Why) != 1 {
		t.Errorf("in another space: %+v", got)
	}
	// Learning again gives the same, also from judgements of answers that had the coefficients.
	if again, err := w.def().Fit(t.Context(), engram.FitOptions{}); err != nil || again.Terms.Better ||
		again.Terms.CurrentLoss != r.Terms.AppliedLoss {
		t.Errorf("Fit again = %+v, %v", again.Terms, err)
	}
	say(t, w.def(), engram.Feedback{RecallID: answerOf(t, w.def(), topic(7)).RecallID, Useful: []string{"told 7-0"}})
	kept := engram.FeedbackRecord{}
	for record, err := range w.def().FeedbackLog(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		kept = record
	}
	for _, term := range kept.Terms {
		if term.Name == "words" && math.Abs(term.Value-was["told 7-0"]["words"]) > 1e-9 {
			t.Errorf("the judgement keeps %+v, before coefficients it was %v", term, was["told 7-0"]["words"])
		}
	}
	if removed, err := w.def().Fit(t.Context(), engram.FitOptions{Remove: true}); err != nil || !removed.Removed {
		t.Fatalf("Remove = %+v, %v", removed, err)
	}
	got := termsOf(answerOf(t, w.def(), topic(9)))
	for id, terms := range termsOf(answerOf(t, w.space("copy"), topic(9))) {
		if math.Abs(terms["words"]-coefficients["words"]*got[id]["words"]) > 1e-9 {
			t.Errorf("after removal %s has %v, the copy %v", id, got[id], terms)
		}
	}
}

// Where scores are the odds that they claim to be, no coefficient is adopted.
func TestCoefficientsThatDoNotHelp(t *testing.T) {
	w := newWorld(t, engram.Options{})
	companions(t, w, func(h *engram.Hit) float64 { return 1 / (1 + math.Exp(3-h.Score)) })
	r, err := w.def().Fit(t.Context(), engram.FitOptions{})
	if err != nil || r.Terms == nil || r.Terms.Better || r.Terms.Adopted || slices.Contains(w.fs.Files(), modelFile) {
		t.Errorf("Fit = %+v, %+v, %v", r, r.Terms, err)
	}
}

// A file with coefficients that are impossible, or that has them under the version without, is damage.
func TestFittedCoefficientsAreRefusedIfDamaged(t *testing.T) {
	w := newWorld(t, engram.Options{})
	companions(t, w, besides)
	if r, err := w.def().Fit(t.Context(), engram.FitOptions{}); err != nil || !r.Terms.Adopted {
		t.Fatalf("Fit = %+v, %v", r, err)
	}
	good := fileBytes(t, w.fs, modelFile)
	for _, text := range []string{`"version": 3`, `"name": "words"`, `"coefficients"`} {
		if !strings.Contains(good, text) {
			t.Errorf("the file has no %s:\n%s", text, good)
		}
	}
	line := exported(t, w.def())
	line = line[strings.LastIndex(line, `{"space":{"weights"`):]
	for old, instead := range map[string]string{
		`"name":"words"`: `"name":"fan"`, `"value":`: `"value":9`, `"coefficients"`: `"coefficient"`,
	} {
		other := newWorld(t, engram.Options{})
		report, err := other.def().Import(t.Context(), strings.NewReader(strings.Replace(line, old, instead, 1)),
			engram.ImportOptions{})
		if err != nil || report.BadCount != 1 || !strings.Contains(report.Bad[0].Error, "coefficient") {
			t.Errorf("%s for %s: %+v, %v", instead, old, report, err)
		}
	}
}
