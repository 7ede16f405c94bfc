package lexical

// readRange says from one date to another: "from May to July", "between 3 and 9 June", "June 3-9", "2019-2021".
func (w *when) readRange(phrase []sign, i int) int {
	p, words := phrase[i:], 0
	between, from := p[0].is(rolePoint, pointBetween), p[0].is(rolePoint, pointFrom)
	if between || from {
		words = 1
	}
	if len(p) < words+2 {
		return 0
	}
	first, n := w.endAt(phrase, i+words, from || between)
	if n == 0 {
		return 0
	}
	words += n
	if len(p) <= words {
		return 0
	}
	switch c := p[words]; {
	case c.is(rolePoint, pointTo), between && c.role == roleAnd:
		words++
	case c.joint == '-':
	default:
		return 0
	}
	if len(p) <= words {
		return 0
	}
	second, n := w.endAt(phrase, i+words, true)
	if n == 0 || first.month == 0 && second.month == 0 && (first.year == 0 || second.year == 0) {
		return 0
	}
	words += n
	if !complete(&first, &second) {
		return 0
	}
	a, relative := w.spanOf(first)
	b, _ := w.spanOf(second)
	if b.From < a.From {
		return 0
	}
	w.say(Span{a.From, b.From + b.Days - a.From}, relative)
	return words
}

// endAt reads one end of a range: a date, or a number that is a day or a year beside the other end.
func (w *when) endAt(phrase []sign, i int, named bool) (d date, n int) {
	if d, n = w.dateAt(phrase, i); n > 0 {
		return d, n
	}
	switch s := &phrase[i]; {
	case s.month() && named:
		return date{month: int(s.value)}, 1
	case s.isYear():
		return date{year: int(s.value)}, 1
	case s.isDay():
		return date{day: int(s.value)}, 1
	}
	return d, 0
}

// complete gives each end of a range what only the other says.
func complete(first, second *date) bool {
	if (first.day > 0) != (second.day > 0) {
		return false // from 3 May to July
	}
	if first.month == 0 {
		first.month = second.month
	}
	if second.month == 0 {
		second.month = first.month
	}
	switch {
	case first.year == 0 && second.year > 0:
		if first.year = second.year; first.month > second.month {
			first.year--
		}
	case second.year == 0 && first.year > 0:
		if second.year = first.year; second.month < first.month {
			second.year++
		}
	}
	return true
}

// readBeside says what lies before or after something that is said: "the day before yesterday", "two weeks after 9
// June", "the Friday before 15 July", "the week before last".
func (w *when) readBeside(phrase []sign, i int) int {
	p, count, words := phrase[i:], int32(1), 0
	if p[0].counts() {
		count, words = p[0].value, 1
	}
	if len(p) < words+3 || p[words+1].role != rolePoint {
		return 0
	}
	unit, point := p[words], p[words+1].value
	if unit.role != roleUnit && unit.role != roleWeekday || point != pointBefore && point != pointAfter {
		return 0
	}
	direction := int32(-1)
	if point == pointAfter {
		direction = 1
	}
	words += 2
	if p[words].is(roleShift, direction) && unit.role == roleUnit && words == 2 &&
		(len(p) == 3 || p[3].role < roleStrong) {
		w.say(w.unit(unit.value, 2*direction), true)
		return 3
	}
	s, n := w.spanAt(phrase, i+words)
	if n == 0 {
		return 0
	}
	if unit.role == roleWeekday {
		day := weekdayBefore(s.span.From, unit.value)
		if direction > 0 {
			day = weekdayAfter(s.span.From+s.span.Days-1, unit.value)
		}
		w.say(Span{day, 1}, s.relative)
		return words + n
	}
	w.say(beside(s.span, unit.value, count, direction, words == 3), s.relative)
	return words + n
}

// beside is what lies count units before or after a span: a whole week, weekend, month or year if no count is said.
func beside(s Span, unit, count, direction int32, counted bool) Span {
	edge := s.From
	if direction > 0 {
		edge += s.Days - 1
	}
	length := int32(1)
	switch unit {
	case unitWeek:
		length = 7
	case unitFortnight:
		length = 14
	case unitWeekend:
		if direction > 0 {
			return Span{weekdayAfter(edge, 6), 2}
		}
		return Span{weekdayBefore(edge, 0) - 1, 2}
	case unitMonth, unitYear:
		n := int(count * direction)
		year, month, _ := dateOfDay(edge)
		if unit == unitYear {
			return months(year+n, 1, 12)
		}
		return months(year, month+n, 1)
	}
	switch {
	case length == 1:
		return Span{edge + direction*count, 1}
	case counted:
		return Span{edge + direction*count*length - 3, 7}
	case direction < 0:
		return Span{edge - length, length}
	}
	return Span{edge + 1, length}
}

// readLater says what is some time after what was said before: "two days later", "the next day", "the following week".
func (w *when) readLater(p []sign) int {
	count, unit, words := int32(1), int32(0), 0
	switch {
	case len(p) > 2 && p[0].counts() && p[1].role == roleUnit && p[2].role == roleLater:
		count, unit, words = p[0].value, p[1].value, 3
	case len(p) > 1 && p[0].role == roleThen && p[1].role == roleUnit,
		len(p) > 1 && p[0].is(roleShift, 1) && p[1].is(roleUnit, unitDay):
		unit, words = p[1].value, 2
	default:
		return 0
	}
	if w.said.Days == 0 {
		w.say(Span{}, false)
		return words
	}
	w.say(beside(w.said, unit, count, 1, words == 3), false)
	return words
}
