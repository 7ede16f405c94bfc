package recall_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// asking is a space of the same words said by different people at different times.
func asking(t *testing.T) *space {
	at := func(date string) int64 {
		when, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixNano()
	}
	s := newSpace(t, lexical.Options{})
	s.add(memory{id: "a", text: "the pottery class was fun", speaker: "Ada Smith", at: at("2023-05-08"), dated: true})
	s.add(memory{id: "b", text: "the pottery class was fun", speaker: "Will", at: at("2022-02-01"), dated: true})
	s.add(memory{id: "c", text: "the pottery class was yesterday", speaker: "Bo", at: at("2021-07-10"), dated: true})
	s.add(memory{id: "d", text: "gulls over the water", speaker: "Ada Smith", at: at("2023-05-08")})
	return s
}

// TestQuestionsNameSpeakersAndTimes: what a question asks for besides its words puts a memory first, and each switch
// takes that back. It makes no hit of a memory that neither words nor meaning found.
func TestQuestionsNameSpeakersAndTimes(t *testing.T) {
	s := asking(t)
	now := time.Date(2023, 5, 9, 12, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct{ text, first, term string }{
		{"pottery with Ada Smith?", "a", recall.TermSpeaker},
		{"POTTERY WITH ADA SMITH", "a", recall.TermSpeaker},
		{"Which pottery class did Will take?", "b", recall.TermSpeaker},
		{"pottery class in 2022", "b", recall.TermTime},
		{"pottery class yesterday evening", "c", recall.TermWords},
		{"pottery class on 9 July 2021", "c", recall.TermTime}, // the day before the memory's own
		{"When was the pottery class?", "c", recall.TermTime},
		{"pottery class this week", "a", recall.TermTime},
	} {
		q := ask(c.text)
		q.Now, q.Explain = now, true
		answer := s.recall(q)
		if got := s.idsOf(answer); len(got) < 3 || got[0] != c.first {
			t.Errorf("%q finds %v, want %s of three or more first", c.text, got, c.first)
			continue
		}
		if !hasTerm(answer.Hits[0], c.term) {
			t.Errorf("%q: terms are %+v, want %s", c.text, answer.Hits[0].Terms, c.term)
		}
		if c.term == recall.TermWords {
			continue
		}
		q.Without = []string{c.term}
		for _, h := range s.recall(q).Hits {
			if hasTerm(h, c.term) {
				t.Errorf("%q without %s: %+v", c.text, c.term, h.Terms)
			}
		}
	}
	q := ask("will the pottery class go on?") // the verb
	q.Now = now
	for _, h := range s.recall(q).Hits {
		if hasTerm(h, recall.TermSpeaker) {
			t.Errorf("a verb names a speaker: %+v", h.Terms)
		}
	}
}

func hasTerm(h recall.Hit, name string) bool {
	for _, term := range h.Terms {
		if term.Name == name {
			return true
		}
	}
	return false
}

// TestMisspeltQuestions: a word that no memory holds finds its neighbours, and the answer says so.
func TestMisspeltQuestions(t *testing.T) {
	s := asking(t)
	q := ask("potery")
	q.Explain = true
	answer := s.recall(q)
	if len(answer.Hits) != 3 || answer.Hits[0].Terms[0].Detail[0].Name != "poteri ~ potteri" {
		t.Errorf("hits are %+v, want three by poteri ~ potteri", answer.Hits)
	}
	q.Without = []string{recall.StepSpelling}
	if got := s.recall(q); len(got.Hits) != 0 {
		t.Errorf("without spelling: %+v, want none", got.Hits)
	}
}

// TestDaysAreThoseOfWhoWasThere: what happened late in the evening west of Greenwich happened on that day, not on the
// next, which UTC had already.
func TestDaysAreThoseOfWhoWasThere(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	at := time.Date(2024, 5, 14, 23, 30, 0, 0, time.FixedZone("", -5*3600))
	s.add(memory{id: "late", text: "the pottery class", at: at.UnixNano(), zone: -5 * 60})
	for text, want := range map[string]bool{"pottery on 14 May 2024": true, "pottery on 15 May 2024": false} {
		q := ask(text)
		q.Now = at.Add(48 * time.Hour).UnixNano()
		answer := s.recall(q)
		if len(answer.Hits) != 1 || hasTerm(answer.Hits[0], recall.TermTime) != want {
			t.Errorf("%q: %+v, want a hit, with a term of time: %v", text, answer.Hits, want)
		}
	}
}

// TestOtherNamesDoNotHideSpeakers: tags, kinds and sessions that a question also names are not speakers, however many.
func TestOtherNamesDoNotHideSpeakers(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	var text, tags []string
	for i := range 40 {
		tags = append(tags, fmt.Sprint("tag", i))
	}
	text = append(append(text, tags...), "pottery", "Ada")
	s.add(memory{id: "a", text: "pottery", speaker: "Ada", tags: tags})
	answer := s.recall(ask(strings.Join(text, " ")))
	if len(answer.Hits) != 1 || !hasTerm(answer.Hits[0], recall.TermSpeaker) {
		t.Errorf("hits are %+v, want one with a term of its speaker", answer.Hits)
	}
}

// TestOnlyATime: a question that names a time and nothing else finds what was then, newest first, and not what speaks
// of such a time on another day.
func TestOnlyATime(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	now := time.Date(2024, 5, 15, 18, 0, 0, 0, time.UTC) // a Wednesday
	at := func(days int) int64 { return now.AddDate(0, 0, -days).UnixNano() }
	s.add(memory{id: "dentist", text: "I was at the dentist yesterday", at: at(8)})
	s.add(memory{id: "garden", text: "we planted beans", at: at(1)})
	s.add(memory{id: "rain", text: "it rained all afternoon", at: at(1) - hour})
	s.add(memory{id: "ferry", text: "the ferry was late", at: at(40)})
	for text, want := range map[string][]string{
		"what did I do yesterday?":    {"garden", "rain"},
		"what happened last week?":    {"dentist"},
		"anything new on 7 May 2024?": {"dentist"},
		"what about beans yesterday?": {"garden", "dentist"}, // by words
		"what happened last year?":    {},
	} {
		q := ask(text)
		q.Now, q.Explain = now.UnixNano(), true
		answer := s.recall(q)
		equal(t, text, s.idsOf(answer), want)
	}
	q := ask("what did I do yesterday?")
	q.Now, q.Without = now.UnixNano(), []string{recall.TermTime}
	equal(t, "without time", s.ids(q), []string{"dentist"})
	q.Without = nil
	q.Filters.Rows = []uint32{2, 3}
	equal(t, "of two", s.ids(q), []string{"rain"})
}
