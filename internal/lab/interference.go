package lab

import (
	"fmt"

	engram "github.com/orchard9/engram-go"
)

func competition(p *published) []experiment {
	pt := p.points
	underwood := fmt.Sprintf("recall after a day %.2f with one list, %.2f with many", pt["interference_first"],
		pt["interference_many"])
	return []experiment{{
		row: Row{
			ID: "I1", Replicates: "proactive interference: earlier lists with the same cue take from the last",
			Source: "Underwood 1957 (secondary)", Published: underwood,
			NotClaimed: "the depth of the fall: rivals that match the cue equally well share evenly, and the engine " +
				"ends lower than people",
		},
		run:     func(b *bench) (finding, error) { return lists(b, sameCue) },
		off:     "the shared cue (rivals are to other cues)",
		ablated: func(b *bench) (finding, error) { return lists(b, otherCue) },
	}, {
		row: Row{
			ID: "I2", Replicates: "retroactive interference, AB-AC: as AC is used, AB gives way",
			Source:    "McGeoch (conceptual); no table of Barnes & Underwood 1959",
			Published: "no number compared: the order alone",
		},
		run:     func(b *bench) (finding, error) { return pairs(b) },
		off:     "use and priming (Cue.Without)",
		ablated: func(b *bench) (finding, error) { return pairs(b, "use", "priming") },
	}, {
		row: Row{
			ID: "I3", Replicates: "rivals to other cues take nothing",
			Source: "Underwood 1957 (secondary), as the control of I1", Published: "no loss",
		},
		run:     func(b *bench) (finding, error) { return control(b, otherCue) },
		off:     "the difference of cues (rivals are to the same cue)",
		ablated: func(b *bench) (finding, error) { return control(b, sameCue) },
	}}
}

func sameCue(i int) string  { return fmt.Sprintf("the copper lantern opens with key%d", i) }
func otherCue(i int) string { return fmt.Sprintf("the tin bucket%d holds key%d", i, i) }

// fillers is the number of memories about other things, so that words weigh what they weigh in a memory of some size.
const fillers = 100

func (s *subject) fill() {
	var drafts []engram.Draft
	for i := range fillers {
		drafts = append(drafts, engram.Draft{Content: fmt.Sprintf("filler%d other%d matter%d", i, i, i)})
	}
	s.rememberAll(drafts)
}

// afterLists is the probability that the last list's pair is the one meant, a day after it and n earlier lists, one a
// day.
func afterLists(b *bench, n int, rival func(int) string) (p float64, err error) {
	s, err := b.space()
	if err != nil {
		return 0, err
	}
	s.fill()
	for i := range n {
		s.day(float64(i))
		s.remember(engram.Draft{Content: rival(i)})
	}
	s.day(float64(n))
	s.remember(engram.Draft{ID: "last", Content: "the copper lantern opens with violet"})
	s.day(float64(n) + 1)
	answer := s.recall(engram.Cue{Text: "copper lantern", Compete: true, Limit: fillers})
	for _, h := range answer.Hits {
		if h.ID == "last" && h.Probability != nil {
			p = *h.Probability
		}
	}
	return p, s.err
}

// lists is I1.
func lists(b *bench, rival func(int) string) (f finding, err error) {
	last := 0.0
	numbersOf := []int{0, 2, 5, 10, 20}
	for i, n := range numbersOf {
		p, err := afterLists(b, n, rival)
		if err != nil {
			return f, err
		}
		f.engine += fmt.Sprintf("%d lists before: %.2f; ", n, p)
		bound := &b.published.bounds
		if i == 0 {
			f.check(p >= bound.First, "alone %.2f, at least %v is wanted", p, bound.First)
		} else {
			f.check(p < last, "%d lists: %.2f after %.2f", n, p, last)
		}
		f.check(i < len(numbersOf)-1 || p <= bound.Twenty, "after %d lists %.2f, at most %v is wanted", n, p,
			bound.Twenty)
		last = p
	}
	return f, nil
}

// control is I3.
func control(b *bench, rival func(int) string) (f finding, err error) {
	alone, err := afterLists(b, 0, rival)
	if err != nil {
		return f, err
	}
	among, err := afterLists(b, 20, rival)
	f.engine = fmt.Sprintf("alone %.2f, after 20 lists %.2f", alone, among)
	most := b.published.bounds.OtherCue
	f.check(alone-among <= most, "loses %.2f, at most %v is allowed", alone-among, most)
	return f, err
}

// pairs is I2: AC is of use, five times, a day apart.
func pairs(b *bench, without ...string) (finding, error) {
	s, err := b.space()
	if err != nil {
		return finding{}, err
	}
	s.fill()
	s.rememberAll([]engram.Draft{
		{ID: "AB", Content: "the copper lantern opens with violet"},
		{ID: "AC", Content: "the copper lantern opens with orange"},
	})
	var f finding
	last := map[string]float64{}
	const uses = 5
	for n := range uses + 1 {
		s.day(float64(n))
		if n > 0 {
			s.feedback(engram.Feedback{Useful: []string{"AC"}})
		}
		p := map[string]float64{}
		for _, h := range s.recall(engram.Cue{Text: "copper lantern", Compete: true, Without: without}).Hits {
			p[h.ID] = *h.Probability
		}
		f.check(p["AB"]+p["AC"] <= 1+1e-9, "probabilities add up to %v", p["AB"]+p["AC"])
		if n > 0 {
			f.check(p["AB"] < last["AB"] && p["AC"] > last["AC"], "%d uses: AB %.3f after %.3f, AC %.3f after %.3f", n,
				p["AB"], last["AB"], p["AC"], last["AC"])
		}
		if n == 0 || n == uses {
			f.engine += fmt.Sprintf("%d uses of AC: AB %.3f, AC %.3f; ", n, p["AB"], p["AC"])
		}
		last = p
	}
	return f, s.err
}

func reconsolidation(p *published) []experiment {
	pt := p.points
	return []experiment{{
		row: Row{
			ID: "RC1", Replicates: "reconsolidation: a memory can be changed soon after it was used, and not later",
			Source: "Nader et al. 2000",
			Published: fmt.Sprintf("changed right after use: %v, six hours later: %v, without use: %v",
				pt["labile_at_once"],
				pt["labile_after_window"], pt["labile_unused"]),
		},
		run:     func(b *bench) (finding, error) { return edits(b) },
		off:     "labile: no window after a use",
		ablated: func(b *bench) (finding, error) { return edits(b, "labile") },
	}}
}

// edits updates a memory, used or not, some hours later: in place keeps its id, the next version and its strength.
func edits(b *bench, without ...string) (f finding, err error) {
	for _, c := range []struct {
		key, name string
		used      bool
		hours     float64
	}{
		{"labile_at_once", "1 hour after use", true, 1},
		{"labile_after_window", "7 hours after", true, 7},
		{"labile_unused", "without use", false, 1},
	} {
		inPlace, kept, err := edit(b, c.used, c.hours, without...)
		if err != nil {
			return f, err
		}
		f.engine += fmt.Sprintf("%s: changed %v; ", c.name, inPlace)
		wanted := b.published.points[c.key] == 1
		f.check(inPlace == wanted, "%s: changed %v, published %v", c.name, inPlace, wanted)
		f.check(kept, "%s: the id, the version, the strength or the link to the old memory is not as it should be",
			c.name)
	}
	return f, nil
}

func edit(b *bench, used bool, hours float64, without ...string) (inPlace, kept bool, err error) {
	s, err := b.space(without...)
	if err != nil {
		return false, false, err
	}
	s.remember(engram.Draft{ID: "old", Content: "The ferry leaves at seven."})
	const day = 9
	s.day(day)
	if used {
		s.feedback(engram.Feedback{Useful: []string{"old"}})
	}
	before := s.get("old")
	s.day(day + hours/24)
	if s.err != nil {
		return false, false, s.err
	}
	out, err := s.s.Update(b.ctx, "old", engram.Change{
		Content: new("The ferry leaves at eight."),
		Mode:    engram.UpdateByUse,
	})
	if err != nil {
		return false, false, err
	}
	inPlace = out.Result == engram.Updated
	after := s.get("old")
	if inPlace {
		kept = out.ID == "old" && after.Version == before.Version+1 &&
			(before.Use == nil || after.Use != nil && after.Use.Stability == before.Use.Stability)
		return inPlace, kept, s.err
	}
	return inPlace, out.ID != "old" && after.SupersededBy == out.ID && after.Content == before.Content, s.err
}
