package engram_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
)

// lore fills a space with texts that have much in common, and some vectors.
func lore(t *testing.T, s *engram.Space, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		d := engram.Draft{
			ID: fmt.Sprint("m", i), Session: fmt.Sprint("s", i/20), OccurredAt: day(1 + i%20),
			Content: fmt.Sprintf("Remark number%d about the %s of the harbour, and what the pilot said of it at "+
				"length.", i, []string{"lamps", "cranes", "dogs"}[i%3]),
		}
		if i%2 == 0 {
			d.Embedding = loreVector(i)
		}
		remember(t, s, d)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func loreVector(i int) []float32 {
	rng := rand.New(rand.NewPCG(uint64(i), 77))
	v := make([]float32, 24)
	for k := range v {
		v[k] = float32(rng.NormFloat64())
	}
	return v
}

// wholeAnswers is what a space says to some questions, explained; where memories are held is left out.
func wholeAnswers(t *testing.T, s *engram.Space) (out []engram.Answer) {
	t.Helper()
	probe := loreVector(14)
	probe[3] += .1
	for _, cue := range []engram.Cue{
		{Text: "what did the pilot say of the cranes?", Limit: 50, Explain: true},
		{Text: "number14 lamps", Embedding: probe, Limit: 50, Explain: true},
		{Embedding: probe, Limit: 50, Explain: true},
		{Limit: 20},
	} {
		answer, err := s.Recall(t.Context(), cue)
		if err != nil || len(answer.Hits) == 0 {
			t.Fatalf("Recall(%+v) = %d hits, %v", cue, len(answer.Hits), err)
		}
		answer.RecallID = ""
		for i := range answer.Hits {
			answer.Hits[i].Tier = ""
		}
		out = append(out, answer)
	}
	return out
}

// TestTierOfMemories moves a space to the cold tier and back: memories say where they are, Stats what it saves, and
// every answer and every way to read, write, feed back and erase goes on.
func TestTierOfMemories(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	lore(t, s, 0, 300)
	before := wholeAnswers(t, s)
	check := func(what string, tier engram.Tier) {
		t.Helper()
		if diff := cmp.Diff(before, wholeAnswers(t, w.def())); diff != "" {
			t.Errorf("%s: answers (-before +after):\n%s", what, diff)
		}
		m, err := w.def().Get(t.Context(), "m14")
		if err != nil || m.Tier != tier || !strings.HasPrefix(m.Content, "Remark number14 ") || len(m.Embedding) != 24 {
			t.Errorf("%s: Get = %+v, %v, want it %s", what, m, err, tier)
		}
	}
	check("sealed", engram.TierWarm)
	report, err := s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold})
	if err != nil || report.Cooled != 1 || report.Warmed != 0 || len(report.Left) > 0 {
		t.Fatalf("Compact to cold = %+v, %v", report, err)
	}
	check("cold", engram.TierCold)
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Cold != 300 || stats.Warm != 0 || stats.Versions != 300 || stats.ColdRatio < 1.5 ||
		stats.ColdBytes != stats.SegmentBytes || stats.Cooled != 1 || stats.Warmed != 0 {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
	w.reopen()
	s = w.def()
	check("reopened", engram.TierCold)
	report, err = s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierWarm})
	if err != nil || report.Cooled != 0 || report.Warmed != 1 {
		t.Fatalf("Compact to warm = %+v, %v", report, err)
	}
	check("warm again", engram.TierWarm)
	if stats, err = s.Stats(t.Context()); err != nil || stats.Cold != 0 || stats.ColdRatio != 0 || stats.Warmed != 1 {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
	if _, err := s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold}); err != nil {
		t.Fatal(err)
	}
	content := "Remark number14 was about something else."
	if _, err := s.Update(t.Context(), "m14", engram.Change{Content: &content}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Get(t.Context(), "m14"); err != nil || m.Tier != engram.TierHot || m.Content != content {
		t.Errorf("Get of a new version = %+v, %v", m, err)
	}
	versions, err := s.History(t.Context(), "m14")
	if err != nil || len(versions) != 2 || versions[0].Tier != engram.TierCold || versions[1].Tier != engram.TierHot {
		t.Errorf("History = %+v, %v", versions, err)
	}
	erase(t, s, "m15")
	if _, err := s.Get(t.Context(), "m15"); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Get of an erased memory = %v", err)
	}
	report, err = s.Compact(t.Context(), engram.CompactOptions{})
	if err != nil || report.Dropped != 1 || report.Warmed > 0 {
		t.Errorf("Compact = %+v, %v, want what was erased dropped, and all where it is", report, err)
	}
}

// TestTiersByNeedInTheBackground lets days go by on which some memories of one segment are recalled and got: it stays,
// the other becomes cold by itself, also behind a restart, and warm again when it is asked for.
func TestTiersByNeedInTheBackground(t *testing.T) {
	w := newWorld(t, engram.Options{
		Compaction: engram.BackgroundCompaction{ColdAfter: 10 * 24 * time.Hour, Every: time.Millisecond},
	})
	s := w.def()
	lore(t, s, 0, 100)
	lore(t, s, 100, 200)
	// until lets hours go by, and memories be asked for, until so many rows are cold.
	until := func(when string, cold, from, to int) {
		t.Helper()
		eventually(t, when, func(st engram.SpaceStats) bool {
			if st.Cold == cold && st.Compaction.Runs > 0 {
				return true
			}
			w.clock.set(w.clock.tell().Add(6 * time.Hour))
			askFor(t, s, from, to)
			return false
		}, s)
	}
	until("half of it was asked for", 100, 0, 20)
	if m, err := s.Get(t.Context(), "m150"); err != nil || m.Tier != engram.TierCold {
		t.Errorf("Get = %+v, %v, want it cold", m, err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Cooled != 1 || stats.Warmed != 0 {
		t.Errorf("Stats = %+v, %v, want one segment cold", stats, err)
	}
	w.reopen()
	s = w.def()
	for range 20 { // the first half is asked for still
		w.clock.set(w.clock.tell().Add(6 * time.Hour))
		askFor(t, s, 0, 20)
		time.Sleep(time.Millisecond)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Cold != 100 || stats.Cooled+stats.Warmed != 0 {
		t.Errorf("Stats = %+v, %v, want no move behind a restart", stats, err)
	}
	until("all of it was asked for", 0, 0, 140)
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Warmed != 1 || stats.Compaction.Error != "" {
		t.Errorf("Stats = %+v, %v, want one segment warm again", stats, err)
	}
	if err := w.db.Ready(); err != nil {
		t.Errorf("Ready = %v", err)
	}
}

// askFor recalls and gets memories.
func askFor(t *testing.T, s *engram.Space, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if i%2 == 0 {
			recall(t, s, engram.Cue{Text: fmt.Sprint("number", i), Limit: 1})
		} else if _, err := s.Get(t.Context(), fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTiersByNeed asks for moves by need, with the two thresholds, and by what needs: hits, gets, former versions and
// use.
func TestTiersByNeed(t *testing.T) {
	w := newWorld(t, engram.Options{Compaction: engram.BackgroundCompaction{ColdAfter: -1}})
	s := w.def()
	lore(t, s, 0, 100)
	at := func(n int, want engram.Tier) {
		t.Helper()
		w.clock.set(day(n))
		if _, err := s.Compact(t.Context(), engram.CompactOptions{ColdAfter: 10 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		stats, err := s.Stats(t.Context())
		tier := map[bool]engram.Tier{true: engram.TierCold, false: engram.TierWarm}[stats.Cold > 0]
		if err != nil || tier != want {
			t.Fatalf("on day %d the segment is %s, %v, want %s", n, tier, err, want)
		}
	}
	at(1, engram.TierWarm)  // looked at for the first time
	at(10, engram.TierWarm) // nine days later
	askFor(t, s, 0, 3)
	at(19, engram.TierWarm) // 3 %
	at(20, engram.TierCold)
	askFor(t, s, 0, 10)
	at(21, engram.TierCold) // 10 %
	if _, err := s.History(t.Context(), "m10"); err != nil {
		t.Fatal(err)
	}
	at(22, engram.TierWarm)
	at(29, engram.TierWarm)
	// Use counts, although nobody asks.
	judged := engram.Feedback{Useful: []string{"m20", "m21", "m22"}}
	if report, err := s.Feedback(t.Context(), judged); err != nil || report.Reinforced != 3 {
		t.Fatalf("Feedback = %+v, %v", report, err)
	}
	at(38, engram.TierWarm)
	at(50, engram.TierCold)
}

// TestTierOptionsAreChecked refuses what cannot take effect.
func TestTierOptionsAreChecked(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for field, o := range map[string]engram.CompactOptions{
		"tier":       {Tier: "hot"},
		"cold_after": {ColdAfter: time.Hour},
	} {
		_, err := w.def().Compact(t.Context(), o)
		invalid, ok := errors.AsType[*engram.InvalidError](err)
		if !ok || invalid.Field != field {
			t.Errorf("Compact(%+v) = %v, want it refused by %s", o, err, field)
		}
	}
	past := engram.CompactOptions{ColdAfter: -time.Hour}
	if _, err := w.def().Compact(t.Context(), past); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Compact with a negative time = %v", err)
	}
	both := engram.CompactOptions{Tier: engram.TierCold, ColdAfter: 48 * time.Hour}
	if _, err := w.def().Compact(t.Context(), both); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Compact with both = %v", err)
	}
	_, err := engram.Options{Compaction: engram.BackgroundCompaction{ColdAfter: time.Hour}}.Open(t.TempDir())
	if invalid, ok := errors.AsType[*engram.InvalidError](err); !ok || invalid.Field != "Options.Compaction.ColdAfter" {
		t.Errorf("Open = %v, want ColdAfter refused", err)
	}
}
