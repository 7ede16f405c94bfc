package engram_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// into imports an export of from into to.
func into(t *testing.T, from, to *engram.Space) engram.ImportReport {
	t.Helper()
	report, err := to.Import(t.Context(), strings.NewReader(exported(t, from)), engram.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestImportOverAnOlderCopy: what became of memories since the copy was made comes into the copy: superseded, archived,
// restored, judged, told again, associated. A second import changes nothing, and neither does that of the older copy.
func TestImportOverAnOlderCopy(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s, copied := w.def(), w.space("copy")
	for _, id := range []string{
		"replaced", "archived", "restored", "back and away", "judged", "told", "linked", "edited", "plain",
	} {
		remember(t, s, engram.Draft{ID: id, Content: "The ferry of " + id, Source: "Ada"})
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"restored", "back and away"}}); err != nil {
		t.Fatal(err)
	}
	say(t, s, engram.Feedback{Useful: []string{"judged"}})
	want(t, "lines that are bad", into(t, s, copied).BadCount, 0)
	older := exported(t, copied)
	w.clock.set(day(4))
	remember(t, s, engram.Draft{
		ID: "new", Content: "The new ferry", Supersedes: []string{"replaced"}, OccurredAt: day(3),
	})
	forget := func(ids ...string) {
		t.Helper()
		if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: ids}); err != nil {
			t.Fatal(err)
		}
	}
	forget("archived")
	for _, id := range []string{"restored", "back and away"} {
		if _, err := s.Restore(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.set(day(5))
	forget("back and away")
	for i, signal := range []engram.Signal{engram.Wrong, engram.Useful, engram.Useless} {
		w.clock.set(day(6 + i))
		say(t, s, engram.Feedback{IDs: []string{"judged"}, Signal: signal, Source: "Bo", Verified: true})
	}
	remember(t, s, engram.Draft{ID: "told", Content: "The ferry of told", Source: "Cy"})
	if err := s.Link(t.Context(), "linked", engram.Link{To: "plain", Weight: new(.9)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), "edited", engram.Change{Content: new("Another ferry")}); err != nil {
		t.Fatal(err)
	}
	report := into(t, s, copied)
	want(t, "report", []int{report.Created, report.Versions, report.Merged, report.BadCount}, []int{1, 1, 7, 0})
	want(t, "the copy", sortedLines(exported(t, copied)), sortedLines(exported(t, s)))
	for range 2 {
		report = into(t, s, copied)
		want(t, "again", []int{report.Created, report.Versions, report.Merged, report.Others, report.BadCount},
			[]int{0, 0, 0, 0, 0})
	}
	// The older copy brings nothing back.
	back, err := copied.Import(t.Context(), strings.NewReader(older), engram.ImportOptions{})
	want(t, "the older copy", []any{back.Merged, back.Others, back.BadCount, err}, []any{0, 0, 0, nil})
	want(t, "the copy after that", sortedLines(exported(t, copied)), sortedLines(exported(t, s)))
}

// TestCopiesThatWentApart: two copies are judged apart and then told of each other, each way and again: both know the
// same, and each source speaks once.
func TestCopiesThatWentApart(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld(t, engram.Options{})
		a, b := w.space("a"), w.space("b")
		for i := range 5 {
			remember(t, a, engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint("fact ", i), Source: "Ada"})
		}
		into(t, a, b)
		for range 20 {
			w.clock.set(w.clock.tell().Add(time.Duration(rng.IntN(100)) * time.Hour))
			say(t, []*engram.Space{a, b}[rng.IntN(2)], engram.Feedback{
				IDs: []string{fmt.Sprint("m", rng.IntN(5))}, Signal: engram.Signals()[rng.IntN(4)],
				Source: []string{"", "Bo", "Cy", "Di"}[rng.IntN(4)], Verified: rng.IntN(2) == 0,
			})
		}
		before := exported(t, a)
		into(t, b, a)
		if _, err := b.Import(t.Context(), strings.NewReader(before), engram.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		want(t, fmt.Sprintf("seed %d: what both know", seed), standingOf(t, b), standingOf(t, a))
		for range 2 {
			for _, pair := range [][2]*engram.Space{{a, b}, {b, a}} {
				report := into(t, pair[0], pair[1])
				want(t, fmt.Sprintf("seed %d: told again", seed), []int{report.Merged, report.Others, report.BadCount},
					[]int{0, 0, 0})
			}
		}
	}
}

// standingOf is how memories stand and how reliable sources are.
func standingOf(t *testing.T, s *engram.Space) []any {
	t.Helper()
	var out []any
	for m, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m.ID, m.Use, m.Belief)
	}
	sources, err := s.Sources(t.Context())
	return append(out, sources, err)
}

// TestImportRefusesContradictions: what cannot both be so is refused by its line, and the rest is taken.
func TestImportRefusesContradictions(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s, copied := w.def(), w.space("copy")
	for _, id := range []string{"a", "b", "c"} {
		remember(t, s, engram.Draft{ID: id, Content: "fact " + id, Source: "Ada"})
	}
	into(t, s, copied)
	remember(t, s, engram.Draft{ID: "x", Content: "another fact", Supersedes: []string{"a"}})
	remember(t, copied, engram.Draft{ID: "y", Content: "still another", Supersedes: []string{"a"}})
	if _, err := copied.Update(t.Context(), "b", engram.Change{Content: new("changed in the copy")}); err != nil {
		t.Fatal(err)
	}
	say(t, s, engram.Feedback{Wrong: []string{"b", "c"}, Source: "Bo"})
	report := into(t, s, copied)
	want(t, "report", []int{report.Created, report.Merged, report.BadCount}, []int{1, 1, 2})
	for i, text := range []string{`replaced by "y" here, by "x" there`, "later version here"} {
		if !strings.Contains(report.Bad[i].Error, text) {
			t.Errorf("bad line %+v, want it to say %q", report.Bad[i], text)
		}
	}
	if m, err := copied.Get(t.Context(), "c"); err != nil || m.Belief == nil || len(m.Belief.Evidence) != 2 {
		t.Errorf("c in the copy: %+v, %v", m, err)
	}
}

// TestExportKeepsEveryState: what the next event does in a copy is what it does in the original, down to the last
// source, key and weight.
func TestExportKeepsEveryState(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	judgedAs(t, w, 150, fast())
	if fitted, err := s.Fit(t.Context(), engram.FitOptions{}); err != nil || !fitted.Adopted {
		t.Fatalf("Fit = %+v, %v", fitted, err)
	}
	remember(t, s, engram.Draft{ID: "a", Content: "The ferry to Tavira leaves at seven", Source: "liar"})
	remember(t, s, engram.Draft{ID: "b", Content: "The harbour closes at nine", Source: "liar", IdempotencyKey: "k"})
	restate(t, s, 3, nil)
	_, err := s.UndoConsolidation(t.Context(), consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.clock.set(w.clock.tell().Add(24 * time.Hour))
		say(t, s, engram.Feedback{
			EventID: fmt.Sprint("e", i), IDs: []string{"a"}, Signal: []engram.Signal{engram.Wrong, engram.Useful}[i%2],
			Source: "check", Verified: i == 0, Reason: "because",
		})
	}
	copied := w.space("copy")
	want(t, "lines that are bad", into(t, s, copied).BadCount, 0)
	want(t, "the copy", sortedLines(exported(t, copied)), sortedLines(exported(t, s)))
	spaces := []*engram.Space{s, copied}
	answers := make([][]any, 2)
	note := func(i int, values ...any) { answers[i] = append(answers[i], values...) }
	w.reopen()
	for i, name := range []string{engram.DefaultSpace, "copy"} {
		s := w.space(name)
		spaces[i] = s
		report, err := s.Feedback(t.Context(), engram.Feedback{
			EventID: "e1", IDs: []string{"a"}, Signal: engram.Useful, Source: "check", Reason: "because",
		})
		note(i, "the same event", report, err)
		report, err = s.Feedback(t.Context(), engram.Feedback{
			IDs: []string{"a"}, Signal: engram.Wrong, Source: "check", Verified: true,
		})
		note(i, "a verdict that was counted", report, err)
		out, err := s.Remember(t.Context(), engram.Draft{
			ID: "b", Content: "The harbour closes at nine", Source: "liar", IdempotencyKey: "k",
		})
		note(i, "the same key", out, err)
		_, err = s.Remember(t.Context(), engram.Draft{Content: "Something else", IdempotencyKey: "k"})
		note(i, "the key for something else", err != nil)
		c, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{})
		note(i, "what was taken apart", c.Archived, err)
		remember(t, s, engram.Draft{ID: "c", Content: "Bread is sold at the corner", Source: "liar"})
		w.clock.set(w.clock.tell().Add(48 * time.Hour))
		say(t, s, engram.Feedback{Useful: []string{"c"}})
		w.clock.set(w.clock.tell().Add(-48 * time.Hour))
		m, err := s.Get(t.Context(), "c")
		note(i, "a new memory of the liar", m, err)
		for r, err := range s.FeedbackLog(t.Context()) {
			r.Position = 0
			note(i, r, err)
		}
		fitted, err := s.Fit(t.Context(), engram.FitOptions{DryRun: true})
		note(i, "fit", fitted, err)
	}
	want(t, "what happens next in the copy", answers[1], answers[0])
	if fmt.Sprint(answers[0][1]) != fmt.Sprint(engram.FeedbackReport{Reinforced: 1, Repeated: true}) {
		t.Errorf("the same event: %+v", answers[0][1])
	}
	// A copy with weights of its own keeps them and says so.
	var lines bytes.Buffer
	for line := range strings.Lines(exported(t, spaces[0])) {
		if strings.Contains(line, `"weights"`) {
			lines.WriteString(strings.Replace(line, `"weights":[0.2`, `"weights":[0.3`, 1))
		}
	}
	report, err := spaces[1].Import(t.Context(), &lines, engram.ImportOptions{})
	if err != nil || report.BadCount != 1 || !strings.Contains(report.Bad[0].Error, "other fitted weights") {
		t.Errorf("other weights: %+v, %v", report, err)
	}
}
