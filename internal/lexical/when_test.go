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
	return lexical.Span{From: int32(t.Unix() / (24 * 60 * 60)), Days: days}
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

// TestTimesBesideACalendar is read beside a calendar of 2024, a leap year: 15 May was a Wednesday, and so was 1 May.
func TestTimesBesideACalendar(t *testing.T) {
	now := time.Date(2024, 5, 15, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want []lexical.Span
	}{
		// What lies beside something else.
		{"the day before yesterday", []lexical.Span{span("2024-05-13", 1)}},
		{"the day after tomorrow", []lexical.Span{span("2024-05-17", 1)}},
		{"the week before 9 June", []lexical.Span{span("2024-06-02", 7)}},
		{"the day after 9 June 2023", []lexical.Span{span("2023-06-10", 1)}},
		{"two days before 9 June", []lexical.Span{span("2024-06-07", 1)}},
		{"two weeks after 9 June", []lexical.Span{span("2024-06-20", 7)}},         // the 23rd, three days either way
		{"the weekend before 9 June 2024", []lexical.Span{span("2024-06-01", 2)}}, // the 9th is a Sunday
		{"the weekend after 9 June 2024", []lexical.Span{span("2024-06-15", 2)}},
		{"the Friday before 15 July 2023", []lexical.Span{span("2023-07-14", 1)}},
		{"the month before June 2023", []lexical.Span{span("2023-05-01", 31)}},
		{"the week before last", []lexical.Span{span("2024-04-29", 7)}},
		{"the weekend before last", []lexical.Span{span("2024-05-04", 2)}},
		{"the year before last", []lexical.Span{span("2022-01-01", 365)}},
		{"the week after next", []lexical.Span{span("2024-05-27", 7)}},
		{"the Friday before last", []lexical.Span{span("2024-05-03", 1)}},
		{"on 7 May 2024, and two days later", []lexical.Span{span("2024-05-07", 1), span("2024-05-09", 1)}},
		{"on 7 May 2024. The next day we left", []lexical.Span{span("2024-05-07", 1), span("2024-05-08", 1)}},
		{"two days later we left", []lexical.Span{{}}},
		// How long ago, and how far ahead.
		{"half a year ago", []lexical.Span{span("2023-11-01", 30)}},
		{"a year and a half ago", []lexical.Span{span("2022-11-01", 30)}},
		{"two and a half years ago", []lexical.Span{span("2021-11-01", 30)}},
		{"half an hour ago", nil},
		{"eleven days ago", []lexical.Span{span("2024-05-04", 1)}},
		{"twelve days ago", []lexical.Span{span("2024-05-03", 1)}},
		{"a fortnight ago", []lexical.Span{span("2024-04-28", 7)}}, // 1 May, three days either way
		{"in two weeks", []lexical.Span{span("2024-05-26", 7)}},    // the 29th
		{"in 3 days", []lexical.Span{span("2024-05-18", 1)}},
		{"over the past two weeks", []lexical.Span{span("2024-05-01", 15)}},
		{"in the last 3 days", []lexical.Span{span("2024-05-12", 4)}},
		{"the next two days", []lexical.Span{span("2024-05-15", 3)}},
		{"the last three months", []lexical.Span{span("2024-02-15", 91)}},
		{"it took 3.5 weeks", nil},
		{"the last day of school", nil},
		// Weekdays.
		{"We met on Friday.", []lexical.Span{span("2024-05-10", 1)}},
		{"See you on Friday!", []lexical.Span{span("2024-05-17", 1)}},
		{"I'll call you on Friday", []lexical.Span{span("2024-05-17", 1)}},
		{"I will go. We met on Friday", []lexical.Span{span("2024-05-10", 1)}},
		{"this Friday", []lexical.Span{span("2024-05-17", 1)}},
		{"on wed", []lexical.Span{span("2024-05-08", 1)}},
		{"last mon", []lexical.Span{span("2024-05-13", 1)}},
		{"they wed in the sun and sat", nil},
		{"on Tuesday, 7 May 2024", []lexical.Span{span("2024-05-07", 1)}},
		// Ranges.
		{"from May to July", []lexical.Span{span("2024-05-01", 92)}},
		{"from May to July 2023", []lexical.Span{span("2023-05-01", 92)}},
		{"between November 2023 and February", []lexical.Span{span("2023-11-01", 121)}}, // 29 February
		{"from 3 to 9 June", []lexical.Span{span("2024-06-03", 7)}},
		{"June 3-9", []lexical.Span{span("2024-06-03", 7)}},
		{"3-9 June 2022", []lexical.Span{span("2022-06-03", 7)}},
		{"from 2019 to 2021", []lexical.Span{span("2019-01-01", 1096)}},
		{"from 2 to 5 weeks, 1-2 people", nil},
		// Seasons, holidays.
		{"spring 2023", []lexical.Span{span("2023-03-01", 92)}},
		{"the summer of 2022", []lexical.Span{span("2022-06-01", 92)}},
		{"winter 2022", []lexical.Span{span("2022-12-01", 90)}},
		{"at Christmas", []lexical.Span{span("2023-12-25", 1)}}, // 143 days ago, the next is in 224
		{"last Halloween", []lexical.Span{span("2023-10-31", 1)}},
		{"next Christmas", []lexical.Span{span("2024-12-25", 1)}},
		{"Christmas Eve 2021", []lexical.Span{span("2021-12-24", 1)}},
		{"Thanksgiving 2023", []lexical.Span{span("2023-11-23", 1)}},
		{"on Valentine's Day", []lexical.Span{span("2024-02-14", 1)}},
		// Dates.
		{"in Sept 2023", []lexical.Span{span("2023-09-01", 30)}},
		{"31 Feb 2023", []lexical.Span{span("2023-02-01", 28)}},
		{"29 Feb", []lexical.Span{span("2024-02-29", 1)}},
		{"05/14/2024", []lexical.Span{span("2024-05-14", 1)}},
		{"14/05/2024", []lexical.Span{span("2024-05-14", 1)}},
		{"7.5.2023", []lexical.Span{span("2023-05-07", 1)}},
		{"05/07/2023", []lexical.Span{span("2023-05-07", 1), span("2023-07-05", 1)}},
		{"last May", []lexical.Span{span("2023-05-01", 31)}},
		{"next June", []lexical.Span{span("2024-06-01", 30)}},
		{"2000 dollars, $2000, 1999 steps", nil},
		{"the year 2000", []lexical.Span{span("2000-01-01", 366)}},
		{"on May 7 at 10:30", []lexical.Span{span("2024-05-07", 1)}},
		{"at 10:30 in May", []lexical.Span{span("2024-05-01", 31)}},
	} {
		if got := lexical.TimesIn(c.text, now); !slices.Equal(got, c.want) {
			t.Errorf("TimesIn(%q) = %v, want %v", c.text, got, c.want)
		}
	}
	if got := lexical.TimesIn("7 May 2024, the day after, and yesterday", time.Time{}); len(got) != 2 ||
		got[0] != span("2024-05-07", 1) || got[1].Days != 0 {
		t.Errorf("beside no day: %v", got)
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
