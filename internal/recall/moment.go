package recall

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/orchard9/engram-go/internal/lexical"
)

// momentWords are words by which no memory is found in a question that names a time: those that name it, and those of
// asking what there was. Stop words and numbers are not listed.
const momentWords = `
today yesterday tomorrow tonight morning afternoon evening night noon midnight last next past previous coming ago day
days week weeks weekend weekends month months year years fortnight spring summer autumn fall winter
monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
october november december jan feb mar apr jun jul aug sep sept oct nov dec early late beginning middle end one two three
four five six seven eight nine ten eleven twelve couple first second third since around
happen happens happened happening go goes going went gone make made say said tell told thing things anything something
everything news new`

// onlyMoment reports whether a question in English names a time and nothing else to find memories by.
func (r *run) onlyMoment() bool {
	if r.q.Text == "" || len(r.q.Embedding) > 0 || !(r.weights.Dated > 0) || r.off(TermTime) || r.off(TermWords) {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(r.q.Text), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c)
	})
	const most = 24 // chosen: a longer text is about something
	if len(words) > most {
		return false
	}
	for _, w := range words {
		number := w[0] >= '0' && w[0] <= '9'
		if !number && !lexical.IsEnglishStopWord(w) && !slices.Contains(strings.Fields(momentWords), w) {
			return false
		}
	}
	return len(words) > 0
}

// named reads the times that the question names, relative ones beside its now.
func (a *asked) named(q *Query) {
	a.spans = lexical.TimesIn(q.Text, time.Unix(0, q.Now).UTC())
	a.spans = slices.DeleteFunc(a.spans, func(s lexical.Span) bool { return s.Days == 0 })
	for _, s := range a.spans {
		a.moments = append(a.moments, moments{startOf(int64(s.From)), startOf(int64(s.From) + int64(s.Days))})
	}
}

// byMoment answers a question that names a time and nothing else ("what happened last week?") with the members of that
// time, newest first: its words would find those that speak of another week. It reports whether there are any.
func (r *run) byMoment() (found bool, err error) {
	if !r.onlyMoment() {
		return false, nil
	}
	a := &r.asked
	if a.named(r.q); len(a.spans) == 0 {
		return false, nil
	}
	values := map[uint32]float64{}
	err = r.eachRow(r.c.Rows, func(row uint32) {
		if r.member(row) {
			if value := r.ofMoment(row); value > 0 {
				r.rows = append(r.rows, row)
				values[row] = value
			}
		}
	})
	if err != nil || len(r.rows) == 0 {
		*a = asked{}
		return false, err
	}
	best, err := top(r.ctx, r.rows, r.q.Limit, func(row uint32) float64 { return values[row] }, r.c.Source.ID)
	if err != nil {
		return false, err
	}
	r.out.Hits = make([]Hit, len(best))
	for i, b := range best {
		term := Term{Name: TermTime, Value: b.key}
		if r.q.Explain {
			term.Detail = []Part{{Name: "of that time", Value: b.key}}
		}
		r.out.Hits[i] = Hit{Row: b.row, Score: b.key, Terms: []Term{term}}
	}
	return true, nil
}

// ofMoment is 1/(1+days before the end of the time that the question names), for a row that occurred in it; for one
// that tells of it as if that was at its beginning; and 0 for others.
func (r *run) ofMoment(row uint32) float64 {
	const length = float64(24 * time.Hour)
	facts := r.c.Facts.At(row)
	at, most := local(facts), 0.0
	for i, m := range r.asked.moments {
		switch {
		case facts.OccurredAt != NoTime && m.from <= at && at < m.until:
			most = max(most, 1/(1+(float64(m.until)-float64(at))/length))
		case r.c.Words.TellsOf(row, r.asked.spans[i]):
			most = max(most, 1/(1+(float64(m.until)-float64(m.from))/length))
		}
	}
	return most
}
