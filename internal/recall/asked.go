package recall

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/orchard9/engram-go/internal/lexical"
)

// asked is what a question asks for besides its words: who said it, and when.
type asked struct {
	speakers []named
	when     bool // the question asks when
	spans    []lexical.Span
	moments  []moments // the spans in the times of memories
	best     float64   // the best score by words and meaning
	most     float64   // no memory gains more
}

// named is a name in the question that some memory has: of a speaker, if it is that of a memory's speaker.
type named struct {
	symbol uint32
	name   string
}

// byAsked reads the question. Its relative expressions of time are relative to the query's now.
func (r *run) byAsked() error {
	a, w := &r.asked, &r.weights
	if r.q.Text == "" || len(r.rows) == 0 {
		return nil
	}
	for _, row := range r.rows {
		a.best = max(a.best, r.own(row))
	}
	if !r.off(TermSpeaker) && w.Speaker > 0 {
		if a.speakers = r.names(); len(a.speakers) > 0 {
			a.most += w.Speaker
		}
	}
	if r.off(TermTime) {
		a.most *= a.best
		return nil
	}
	if a.when = w.When > 0 && asksWhen(r.q.Text); a.when {
		a.most += w.When
	}
	if w.Dated > 0 {
		if a.named(r.q); len(a.spans) > 0 {
			a.most += w.Dated
		}
	}
	a.most *= a.best
	return nil
}

// asksWhen reports whether a question in English asks for a time.
func asksWhen(text string) bool {
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) })
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch {
		case w == "when" &&
			(i == 0 || next == "did" || next == "was" || next == "is" || next == "does" || next == "will"),
			(w == "what" || w == "which") && slices.Contains([]string{"year", "month", "day", "date", "week"}, next),
			w == "how" && (next == "long"):
			return true
		}
	}
	return false
}

// gains are what a row gains beyond its words and its meaning: by its speaker, and by its time.
func (r *run) gains(row uint32, facts *Facts) (speaker, when, dated float64) {
	a, w := &r.asked, &r.weights
	if a.most == 0 {
		return 0, 0, 0
	}
	if len(a.speakers) > 0 && r.speaker(facts) != "" {
		speaker = w.Speaker * a.best
	}
	if a.when && r.c.Words.HasTimes(row) {
		when = w.When * a.best
	}
	if len(a.spans) > 0 && r.within(row, facts) {
		dated = w.Dated * a.best
	}
	return speaker, when, dated
}

// gain is the sum of gains.
func (r *run) gain(row uint32, facts *Facts) float64 {
	speaker, when, dated := r.gains(row, facts)
	return speaker + (when + dated)
}

// longestName is how many words of a question are looked up together as one name.
const longestName = 3

// maxNames bounds what each memory is compared with. Chosen.
const maxNames = 32

// names finds the names of speakers in the question: one to three words that stand beside each other, as written, in
// lower case or with initials in upper case. A stop word (will) is a name only if it is written as one (Will).
func (r *run) names() []named {
	words := strings.FieldsFunc(r.q.Text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	var found []named
	add := func(name string) {
		symbol := r.c.Source.Symbol(name)
		known := slices.ContainsFunc(found, func(n named) bool { return n.symbol == symbol })
		if !known && symbol != NoSymbol && symbol != 0 && len(found) < maxNames && r.c.Source.Speaks(symbol) {
			found = append(found, named{symbol, name})
		}
	}
	for i := range words {
		for n := 1; n <= longestName && i+n <= len(words); n++ {
			name := strings.Join(words[i:i+n], " ")
			if n == 1 && lexical.IsEnglishStopWord(strings.ToLower(name)) {
				if initial(name) == name && i > 0 {
					add(name)
				}
				continue
			}
			add(name)
			add(strings.ToLower(name))
			add(initials(words[i : i+n]))
		}
	}
	return found
}

// initial is word in lower case but for its first letter.
func initial(word string) string {
	r, width := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(r)) + strings.ToLower(word[width:])
}

func initials(words []string) string {
	upper := make([]string, len(words))
	for i, w := range words {
		upper[i] = initial(w)
	}
	return strings.Join(upper, " ")
}

// speaker is the name of a memory's speaker if the question has it.
func (r *run) speaker(facts *Facts) string {
	for _, n := range r.asked.speakers {
		if n.symbol == facts.Speaker {
			return n.name
		}
	}
	return ""
}

// moments are the nanoseconds from one instant until another since 1970 UTC.
type moments struct{ from, until int64 }

// startOf is the first instant of a day, as far as instants reach.
func startOf(day int64) int64 {
	const length = int64(24 * time.Hour)
	switch {
	case day > math.MaxInt64/length:
		return math.MaxInt64
	case day < math.MinInt64/length:
		return math.MinInt64
	}
	return day * length
}

// local is an instant as its own zone's clocks show it, read as UTC: days are those of who was there.
func local(facts *Facts) int64 {
	const minute = int64(time.Minute)
	at, east := facts.OccurredAt, int64(facts.Zone)*minute
	if east > 0 && at > math.MaxInt64-east || east < 0 && at < math.MinInt64-east {
		return at
	}
	return at + east
}

// within reports whether a row occurred in a time that the question names, or tells of one.
func (r *run) within(row uint32, facts *Facts) bool {
	at := local(facts)
	for i, m := range r.asked.moments {
		if facts.OccurredAt != NoTime && m.from <= at && at < m.until {
			return true
		}
		if r.c.Words.TellsOf(row, r.asked.spans[i]) {
			return true
		}
	}
	return false
}

// gainTerms are the terms of gains.
func (r *run) gainTerms(row uint32, terms []Term) []Term {
	facts := r.c.Facts.At(row)
	speaker, when, dated := r.gains(row, facts)
	if speaker > 0 {
		term := Term{Name: TermSpeaker, Value: speaker}
		if r.q.Explain {
			term.Detail = []Part{{Name: r.speaker(facts), Value: speaker}}
		}
		terms = append(terms, term)
	}
	if when+dated > 0 {
		term := Term{Name: TermTime, Value: when + dated}
		for _, p := range []Part{{"says when", when}, {"of that time", dated}} {
			if r.q.Explain && p.Value > 0 {
				term.Detail = append(term.Detail, p)
			}
		}
		terms = append(terms, term)
	}
	return terms
}
