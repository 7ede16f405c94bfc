package lexical_test

import (
	"slices"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
)

// span is what a test writes for days: from a date, for so many.
func span(date string, days int32) lexical.Span {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return lexical.Span{From: lexical.DayOf(t), Days: days}
}

// TestTimesIn is read beside a calendar: 8 May 2023 was a Monday.
func TestTimesIn(t *testing.T) {
	now := time.Date(2023, 5, 8, 13, 56, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want []lexical.Span
	}{
		{"I went to the group yesterday.", []lexical.Span{span("2023-05-07", 1)}},
		{"see you tomorrow", []lexical.Span{span("2023-05-09", 1)}},
		{"two days ago", []lexical.Span{span("2023-05-06", 1)}},
		{"a couple of days ago", []lexical.Span{span("2023-05-06", 1)}},
		{"10 days ago", []lexical.Span{span("2023-04-28", 1)}},
		{"last week", []lexical.Span{span("2023-05-01", 7)}},
		{"last weekend", []lexical.Span{span("2023-05-06", 2)}},
		{"last night", []lexical.Span{span("2023-05-07", 1)}},
		{"last Friday", []lexical.Span{span("2023-05-05", 1)}},
		{"last Monday", []lexical.Span{span("2023-05-01", 1)}},
		{"next Monday", []lexical.Span{span("2023-05-15", 1)}},
		{"next Tuesday", []lexical.Span{span("2023-05-09", 1)}},
		{"next month", []lexical.Span{span("2023-06-01", 30)}},
		{"last month", []lexical.Span{span("2023-04-01", 30)}},
		{"last year", []lexical.Span{span("2022-01-01", 365)}},
		{"last summer", []lexical.Span{span("2022-06-01", 92)}},
		{"next summer", []lexical.Span{span("2023-06-01", 92)}},
		{"three weeks ago", []lexical.Span{span("2023-04-14", 7)}},
		{"4 years ago", []lexical.Span{span("2019-01-01", 365)}},
		{"on 7 May 2023", []lexical.Span{span("2023-05-07", 1)}},
		{"on the 7th of May, 2023", []lexical.Span{span("2023-05-07", 1)}},
		{"May 7", []lexical.Span{span("2023-05-07", 1)}},
		{"May 7, 2021", []lexical.Span{span("2021-05-07", 1)}},
		{"2023-05-07", []lexical.Span{span("2023-05-07", 1)}},
		{"in May 2022", []lexical.Span{span("2022-05-01", 31)}},
		{"in December", []lexical.Span{span("2022-12-01", 31)}}, // nearer than the next
		{"in 2022", []lexical.Span{span("2022-01-01", 365)}},
		{"yesterday and last week and today", []lexical.Span{span("2023-05-07", 1), span("2023-05-01", 7)}},
		{"you may go, march on", nil},
		{"a May wedding", nil},
		{"one last thing, 3 of 12", nil},
		{"gestern und letzte Woche", nil},
	} {
		if got := lexical.TimesIn(c.text, now); !slices.Equal(got, c.want) {
			t.Errorf("TimesIn(%q) = %v, want %v", c.text, got, c.want)
		}
	}
	if got := lexical.TimesIn("yesterday", time.Time{}); !slices.Equal(got, []lexical.Span{{}}) {
		t.Errorf("yesterday of no day = %v, want one that says no day", got)
	}
}

// TestTimesOfRows: what is kept of a memory is what TimesIn finds, and the words it is found by stay as they were.
func TestTimesOfRows(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	now := time.Date(2023, 5, 8, 1, 0, 0, 0, time.FixedZone("", 9*3600))
	plain := s.text("nothing of the kind")
	dated := s.add(lexical.Document{Content: "We swam yesterday and last week.", When: now})
	german := s.add(lexical.Document{Content: "We swam yesterday", When: now, Language: "german"})
	far := s.add(lexical.Document{Content: "yesterday", When: time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)})
	want := []lexical.Span{span("2023-05-07", 1), span("2023-05-01", 7)}
	if got := s.x.Times(dated); !slices.Equal(got, want) || !s.x.HasTimes(dated) {
		t.Errorf("Times = %v, want %v", got, want)
	}
	for _, row := range []uint32{plain, german, 1000} {
		if got := s.x.Times(row); len(got) != 0 || s.x.HasTimes(row) {
			t.Errorf("Times(%d) = %v, want none", row, got)
		}
	}
	if got := s.x.Times(far); !slices.Equal(got, []lexical.Span{{}}) { // it does not fit, but it says when
		t.Errorf("Times(far) = %v", got)
	}
}

func FuzzTimesIn(f *testing.F) {
	f.Add("on the 31st of February 2099, 0000-99-99", int64(0))
	f.Add("9999 years ago last next this may", int64(1<<40))
	f.Fuzz(func(t *testing.T, text string, at int64) {
		now := time.Unix(at%(1<<36), 0).UTC()
		first := lexical.TimesIn(text, now)
		if again := lexical.TimesIn(text, now); len(first) > 2 || !slices.Equal(first, again) {
			t.Errorf("TimesIn(%q) = %v, then %v", text, first, again)
		}
	})
}
