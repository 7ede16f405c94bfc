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

// DayOf counts the day of t, in its own zone, from 1 January 1970.
func DayOf(t time.Time) int32 {
	year, month, day := t.Date()
	return dayNumber(year, int(month), day)
}

func dayNumber(year, month, day int) int32 {
	const seconds = 24 * 60 * 60
	return int32(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / seconds)
}

// maxTimes is how many expressions of time are kept of a memory: the first.
const maxTimes = 2

// TimesIn lists the spans that the English expressions of time in text name, in their order: dates ("7 May 2023", "May
// 7", "2023-05-07", "in May", "2022") and what is relative to the day of now ("yesterday", "last week", "two days ago",
// "last Friday", "next month", "last summer"). A date without a year is the one nearest to now. It depends on its
// arguments only. An expression relative to the zero time says when, but not which day.
func TimesIn(text string, now time.Time) []Span {
	var w when
	w.reset(now)
	t := tokenizer{emit: func(token []byte, k kind, _ joint) {
		if k&aside == 0 {
			w.take(token)
		}
	}}
	t.text(text)
	w.finish()
	return append([]Span(nil), w.spans[:w.n]...)
}

// Times lists what expressions of time in row's content name, relative to when it occurred: the first two at most.
func (x *Index) Times(row uint32) []Span {
	if !x.times.Has(row) {
		return nil
	}
	packed := x.times.Get(row)
	var spans []Span
	for ; packed != 0; packed >>= 32 {
		spans = append(spans, unpack(uint32(packed)))
	}
	return spans
}

// TellsOf reports whether an expression of time in row's content names a day of s.
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

// HasTimes reports whether Times lists any.
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

// role is what a word does in an expression of time.
type role uint8

const (
	roleNone    role = iota
	roleDay          // yesterday, today, tomorrow: value is the distance
	roleShift        // last, this, next: value is -1, 0, 1
	roleUnit         // day, week, month, year and others: value is a unit
	roleWeekday      // value counts from Sunday
	roleMonth        // value counts from 1
	roleMaybe        // may, march: a month if the words beside it say so
	roleSeason       // value is the season's first month
	roleNumber       // value is the number, in digits
	roleCount        // value is the number, in words
	roleAgo          // ago, back
	rolePoint        // in, on, since, until: what follows is a date if it can be
	roleFiller       // of, the: as if they were not there
)

const (
	unitDay = iota
	unitWeek
	unitWeekend
	unitMonth
	unitYear
	unitNight // and morning, evening
)

type sign struct {
	role  role
	value int32
}

// when finds expressions of time among tokens. It is a pure function of the tokens and the day given to reset.
type when struct {
	known            bool // the day is
	year, month, day int
	today            int32
	spans            [maxTimes]Span
	n                int
	last, before     sign // the two signs before
	date             date // under way
}

// date is one that is being read: zero for what was not said.
type date struct {
	year, month, day int
	open             bool
}

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
func (w *when) say(from, days int32, relative bool) {
	if w.n == maxTimes {
		return
	}
	if relative && !w.known {
		from, days = 0, 0
	}
	w.spans[w.n] = Span{From: from, Days: days}
	w.n++
}

func (w *when) finish() {
	w.endDate()
	w.last, w.before = sign{}, sign{}
}

// take takes the next token.
func (w *when) take(token []byte) {
	if w.n == maxTimes {
		return
	}
	s := signOf(token)
	if s.role == roleFiller {
		return
	}
	if w.date.open && !w.extend(s) {
		w.endDate()
	}
	switch s.role {
	case roleDay:
		w.say(w.today+s.value, 1, true)
	case roleUnit:
		if w.last.role == roleShift {
			w.sayUnit(s.value, w.last.value)
		}
	case roleWeekday:
		w.sayWeekday(s.value)
	case roleSeason:
		if w.last.role == roleShift {
			w.saySeason(s.value, w.last.value)
		}
	case roleAgo:
		if w.last.role == roleUnit && (w.before.role == roleNumber || w.before.role == roleCount) {
			w.sayAgo(w.last.value, w.before.value)
		}
	case roleMonth, roleMaybe, roleNumber:
		w.beginDate(s)
	}
	w.before, w.last = w.last, s
}

// beginDate opens a date with a month or a year, or with the number after a word that may be a month.
func (w *when) beginDate(s sign) {
	if w.date.open {
		return // s has extended it
	}
	if s.role == roleNumber {
		switch {
		case w.last.role == roleMaybe && (isYear(s.value) || s.value >= 1 && s.value <= 31):
			w.date = date{month: int(w.last.value), open: true}
			w.extend(s)
		case isYear(s.value):
			w.date = date{year: int(s.value), open: true}
		}
		return
	}
	d := date{month: int(s.value), open: true}
	switch {
	case w.last.role == roleNumber && w.last.value >= 1 && w.last.value <= 31:
		d.day = int(w.last.value)
	case s.role == roleMaybe && w.last.role != rolePoint && w.last.role != roleShift:
		d.open = false // "you may", unless a number follows
		d.month = 0
	}
	w.date = d
}

// daysIn counts the days of a month.
func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func isYear(v int32) bool { return v >= 1900 && v < 2100 }

// extend takes a number into the date under way.
func (w *when) extend(s sign) bool {
	d := &w.date
	switch {
	case s.role == roleNumber && d.month > 0 && d.year == 0 && isYear(s.value):
		d.year = int(s.value)
	case s.role == roleNumber && d.month > 0 && d.day == 0 && s.value >= 1 && s.value <= 31:
		d.day = int(s.value)
	case s.role == roleNumber && d.month == 0 && s.value >= 1 && s.value <= 12:
		d.month = int(s.value) // 2023-05
	default:
		return false
	}
	return true
}

// endDate says the date under way.
func (w *when) endDate() {
	d := w.date
	w.date = date{}
	if !d.open {
		return
	}
	relative := d.year == 0
	if relative {
		d.year = w.nearestYear(d.month)
	}
	switch {
	case d.month == 0:
		w.say(dayNumber(d.year, 1, 1), dayNumber(d.year+1, 1, 1)-dayNumber(d.year, 1, 1), false)
	case d.day == 0:
		from := dayNumber(d.year, d.month, 1)
		w.say(from, dayNumber(d.year, d.month+1, 1)-from, relative)
	default:
		w.say(dayNumber(d.year, d.month, d.day), 1, relative)
	}
}

// nearestYear is the year in which month lies nearest to today's.
func (w *when) nearestYear(month int) int {
	switch distance := month - w.month; {
	case distance > 6:
		return w.year - 1
	case distance < -6:
		return w.year + 1
	}
	return w.year
}

// sayUnit says last, this or next unit. Weeks begin on Monday.
func (w *when) sayUnit(unit, shift int32) {
	monday := w.today - (w.weekday()+6)%7
	switch unit {
	case unitDay, unitNight:
		w.say(w.today+shift, 1, true)
	case unitWeek:
		w.say(monday+7*shift, 7, true)
	case unitWeekend:
		w.say(monday+5+7*shift, 2, true)
	case unitMonth:
		from := dayNumber(w.year, w.month+int(shift), 1)
		w.say(from, dayNumber(w.year, w.month+int(shift)+1, 1)-from, true)
	case unitYear:
		from := dayNumber(w.year+int(shift), 1, 1)
		w.say(from, dayNumber(w.year+int(shift)+1, 1, 1)-from, true)
	}
}

// weekday of today, from Sunday. 1 January 1970 was a Thursday.
func (w *when) weekday() int32 { return ((w.today+4)%7 + 7) % 7 }

// sayWeekday says the last day of that name before today; the next one if that is asked for.
func (w *when) sayWeekday(day int32) {
	back := (w.weekday() - day + 7) % 7
	if back == 0 {
		back = 7
	}
	if w.last == (sign{roleShift, 1}) {
		back -= 7
		if back == 0 {
			back = -7
		}
	}
	w.say(w.today-back, 1, true)
}

// saySeason says the season of three months from month on: last is the latest that has begun in full before today's
// month, next the first that begins after it.
func (w *when) saySeason(month, shift int32) {
	year := w.year
	switch {
	case shift < 0 && int(month)+3 > w.month:
		year--
	case shift > 0 && int(month) <= w.month:
		year++
	}
	from := dayNumber(year, int(month), 1)
	w.say(from, dayNumber(year, int(month)+3, 1)-from, true)
}

// sayAgo says n units before today: the more remote, the less exact.
func (w *when) sayAgo(unit, n int32) {
	switch unit {
	case unitDay, unitNight:
		w.say(w.today-n, 1, true)
	case unitWeek, unitWeekend:
		w.say(w.today-7*n-3, 7, true)
	case unitMonth:
		from := dayNumber(w.year, w.month-int(n), 1)
		w.say(from, dayNumber(w.year, w.month-int(n)+1, 1)-from, true)
	case unitYear:
		from := dayNumber(w.year-int(n), 1, 1)
		w.say(from, dayNumber(w.year-int(n)+1, 1, 1)-from, true)
	}
}

// signOf tells what a token does in an expression of time.
func signOf(token []byte) sign {
	const longest = len("wednesday")
	if len(token) == 0 || len(token) > longest {
		return sign{}
	}
	if c := token[0]; c >= '0' && c <= '9' {
		return numberOf(token)
	}
	switch string(token) {
	case "of", "the":
		return sign{roleFiller, 0}
	case "in", "on", "since", "until", "till", "by", "during", "before", "after", "early", "late", "around":
		return sign{rolePoint, 0}
	case "ago", "back":
		return sign{roleAgo, 0}
	case "last", "past", "previous":
		return sign{roleShift, -1}
	case "this":
		return sign{roleShift, 0}
	case "next", "coming", "upcoming":
		return sign{roleShift, 1}
	case "yesterday":
		return sign{roleDay, -1}
	case "today", "tonight":
		return sign{roleDay, 0}
	case "tomorrow":
		return sign{roleDay, 1}
	}
	if s := unitOf(token); s.role != roleNone {
		return s
	}
	return calendarOf(token)
}

// numberOf reads a number of up to four digits, with the ending of an ordinal or without.
func numberOf(token []byte) sign {
	value, i := int32(0), 0
	for ; i < len(token) && i < 4 && token[i] >= '0' && token[i] <= '9'; i++ {
		value = value*10 + int32(token[i]-'0')
	}
	switch string(token[i:]) {
	case "", "st", "nd", "rd", "th":
		return sign{roleNumber, value}
	}
	return sign{}
}

func unitOf(token []byte) sign {
	switch string(token) {
	case "day", "days":
		return sign{roleUnit, unitDay}
	case "week", "weeks":
		return sign{roleUnit, unitWeek}
	case "weekend", "weekends":
		return sign{roleUnit, unitWeekend}
	case "month", "months":
		return sign{roleUnit, unitMonth}
	case "year", "years":
		return sign{roleUnit, unitYear}
	case "night", "nights", "morning", "afternoon", "evening":
		return sign{roleUnit, unitNight}
	case "a", "an", "one":
		return sign{roleCount, 1}
	case "two", "couple":
		return sign{roleCount, 2}
	case "three", "few":
		return sign{roleCount, 3}
	case "four", "several":
		return sign{roleCount, 4}
	case "five":
		return sign{roleCount, 5}
	case "six":
		return sign{roleCount, 6}
	case "seven":
		return sign{roleCount, 7}
	case "eight":
		return sign{roleCount, 8}
	case "nine":
		return sign{roleCount, 9}
	case "ten":
		return sign{roleCount, 10}
	}
	return sign{}
}

func calendarOf(token []byte) sign {
	switch string(token) {
	case "may":
		return sign{roleMaybe, 5}
	case "march":
		return sign{roleMaybe, 3}
	case "spring":
		return sign{roleSeason, 3}
	case "summer":
		return sign{roleSeason, 6}
	case "autumn", "fall":
		return sign{roleSeason, 9}
	case "winter":
		return sign{roleSeason, 12}
	case "sunday":
		return sign{roleWeekday, 0}
	case "monday":
		return sign{roleWeekday, 1}
	case "tuesday":
		return sign{roleWeekday, 2}
	case "wednesday":
		return sign{roleWeekday, 3}
	case "thursday":
		return sign{roleWeekday, 4}
	case "friday":
		return sign{roleWeekday, 5}
	case "saturday":
		return sign{roleWeekday, 6}
	}
	return monthOf(token)
}

func monthOf(token []byte) sign {
	switch string(token) {
	case "jan", "january":
		return sign{roleMonth, 1}
	case "feb", "february":
		return sign{roleMonth, 2}
	case "apr", "april":
		return sign{roleMonth, 4}
	case "jun", "june":
		return sign{roleMonth, 6}
	case "jul", "july":
		return sign{roleMonth, 7}
	case "aug", "august":
		return sign{roleMonth, 8}
	case "sep", "september":
		return sign{roleMonth, 9}
	case "oct", "october":
		return sign{roleMonth, 10}
	case "nov", "november":
		return sign{roleMonth, 11}
	case "dec", "december":
		return sign{roleMonth, 12}
	}
	return sign{}
}
