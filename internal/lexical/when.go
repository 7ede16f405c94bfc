package lexical

import (
	"time"
)

// Span is a stretch of whole days that an expression of time names.
type Span struct {
	From int32 // the first day, counted from 1 January 1970
	Days int32 // how many: 1 or more; 0 for an expression that says when, but not which day
}

// Overlaps reports whether two spans share a day.
func (s Span) Overlaps(o Span) bool {
	return s.From < o.From+o.Days && o.From < s.From+s.Days
}

// dayNumber counts a day from 1 January 1970.
func dayNumber(year, month, day int) int32 {
	const seconds = 24 * 60 * 60
	return int32(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / seconds)
}

// dateOfDay is the inverse of dayNumber.
func dateOfDay(day int32) (year, month, dayOfMonth int) {
	const seconds = 24 * 60 * 60
	y, m, d := time.Unix(int64(day)*seconds, 0).UTC().Date()
	return y, int(m), d
}

// maxTimes is how many expressions of time are kept of a memory: the first.
const maxTimes = 2

// TimesIn lists the spans that the English expressions of time in text name, in their order, at most maxTimes:
//
//   - dates: "7 May 2023", "May 7", "2023-05-07", "5/14/2024", "in May", "in 2022", "summer of 2022", "3-5 June", "from
//     May to July", "Christmas". One without a year is the nearest to now. 5/7/2023 is both of the days that it can be.
//     A day that its month does not have is left out.
//   - what is relative to the day of now: "yesterday", "last week", "two days ago", "half a year ago", "in two weeks",
//     "over the past two weeks", "last Friday", "next month", "last summer", "the weekend before last". A weekday by
//     itself is the last one, the next one after "will", "see you" and the like. Weeks begin on Monday.
//   - what is relative to another: "the day before yesterday", "the week after 9 June", and "two days later" after an
//     expression that says a day.
//
// It depends on its arguments only. An expression relative to the zero time, or to nothing that was said, says when,
// but not which day.
func TimesIn(text string, now time.Time) []Span {
	var w when
	w.reset(now)
	t := tokenizer{emit: func(text []byte, k kind, j joint) {
		if k&aside == 0 {
			w.take(&token{text: text, lexeme: known().find(hashOf(text), text), joint: j})
		}
	}}
	t.text(text)
	w.finish()
	return append([]Span(nil), w.spans[:w.n]...)
}

// TellsOf reports whether one of the first two expressions of time in row's content names a day of s, relative to when
// the memory occurred.
func (x *Index) TellsOf(row uint32, s Span) bool {
	if !x.times.Has(row) {
		return false
	}
	for packed := x.times.Get(row); packed != 0; packed >>= 32 {
		if unpack(uint32(packed)).Overlaps(s) {
			return true
		}
	}
	return false
}

// HasTimes reports whether there is an expression of time in row's content.
func (x *Index) HasTimes(row uint32) bool { return x.times.Has(row) && x.times.Get(row) != 0 }

// A packed span has its first day in the upper 17 bits, counted from dayZero, and its days above 0 in the lower 15.
// One that says no day, or a day that does not fit (before 1850 or after 2208), is unsaid.
const (
	dayZero  = -43829 // 1 January 1850
	daysBits = 15
	unsaid   = uint32(1)
)

func pack(s Span) uint32 {
	from := s.From - dayZero
	if s.Days < 1 || s.Days >= 1<<daysBits || from < 1 || from >= 1<<(32-daysBits) {
		return unsaid
	}
	return uint32(from)<<daysBits | uint32(s.Days)
}

func unpack(v uint32) Span {
	if v == unsaid {
		return Span{}
	}
	return Span{From: int32(v>>daysBits) + dayZero, Days: int32(v & (1<<daysBits - 1))}
}

// when finds expressions of time among tokens. It is a pure function of the tokens and the day given to reset.
//
// Words that can be part of an expression are gathered in phrase; any other word ends it, and it is read from the left,
// the longest expression first.
type when struct {
	known            bool // the day is
	year, month, day int
	today            int32
	spans            [maxTimes]Span
	n                int
	phrase           [longestPhrase]sign
	length           int
	strong           bool // the phrase may name a time
	ahead            int  // for so many words on, weekdays are to come
	before           role // of the word before
	said             Span // the last that was said; of no days if it said none
}

// longestPhrase is how many words of a phrase are read together. Chosen: "from the 3rd of May 2022 until the 5th of
// June 2023" has 8.
const longestPhrase = 12

// date is one that is being read: zero for what was not said.
type date struct{ year, month, day int }

func (w *when) reset(now time.Time) {
	*w = when{known: !now.IsZero()}
	if w.known {
		year, month, day := now.Date()
		w.year, w.month, w.day = year, int(month), day
		w.today = dayNumber(year, int(month), day)
	}
}

// packed is what was found, for Index.times.
func (w *when) packed() uint64 {
	var v uint64
	for i := w.n - 1; i >= 0; i-- {
		v = v<<32 | uint64(pack(w.spans[i]))
	}
	return v
}

// say notes a span; relative ones say no day if today is not known.
func (w *when) say(s Span, relative bool) {
	if relative && !w.known {
		s = Span{}
	}
	w.said = s
	if w.n < maxTimes {
		w.spans[w.n] = s
		w.n++
	}
}

func (w *when) finish() { w.read() }

// take takes the next token.
func (w *when) take(t *token) {
	if w.n == maxTimes {
		return
	}
	if t.joint == jointNone {
		w.read()
		w.ahead = 0
	}
	w.ahead--
	s := sign{}
	switch {
	case t.lexeme != nil:
		s = t.lexeme.sign
	case t.text[0] >= '0' && t.text[0] <= '9':
		s = numberOf(t.text)
	}
	s.joint = t.joint
	const reach = 7 // chosen: "will come over for dinner on Friday"
	switch {
	case s.role == roleFiller:
		return
	case t.joint == ':' && s.role == roleNumber: // half past ten, not the tenth
		if w.length > 0 && w.phrase[w.length-1].role == roleNumber {
			w.length--
		}
		s.role = roleNone
	case s.role == roleAhead || s.role == roleYou && w.before == roleSee:
		w.ahead = reach
	}
	w.before = s.role
	if s.role == roleNone || s.role >= roleAhead && s.role <= roleYou {
		w.read()
		return
	}
	if w.length == longestPhrase {
		w.read()
	}
	w.phrase[w.length] = s
	w.length++
	w.strong = w.strong || s.role >= roleStrong
}

// read reads the phrase and ends it.
func (w *when) read() {
	phrase := w.phrase[:w.length]
	if w.length > 0 && w.strong {
		for i := 0; i < len(phrase); {
			i += max(1, w.readAt(phrase, i))
		}
	}
	w.length, w.strong = 0, false
}

// readAt says the expressions that begin with word i of a phrase and returns how many words they take.
func (w *when) readAt(phrase []sign, i int) int {
	p := phrase[i:]
	if n := w.readRange(phrase, i); n > 0 {
		return n
	}
	if n := w.readBeside(phrase, i); n > 0 {
		return n
	}
	if n := w.readLater(p); n > 0 {
		return n
	}
	if both, n := numericDate(p); n > 0 {
		for _, d := range both {
			if d.year > 0 {
				w.say(w.spanOf(d))
			}
		}
		return n
	}
	s, n := w.spanAt(phrase, i)
	if n > 0 {
		w.say(s.span, s.relative)
	}
	return n
}

// daysIn counts the days of a month.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func isYear(v int32) bool { return v >= 1900 && v < 2100 }
