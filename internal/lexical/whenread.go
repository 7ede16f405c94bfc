package lexical

// spoken is a span, and whether it is beside today.
type spoken struct {
	span     Span
	relative bool
}

// spanAt reads the expression that begins with word i of a phrase and stands for itself, and tells how many words it
// takes; 0 if none does.
func (w *when) spanAt(phrase []sign, i int) (s spoken, n int) {
	p := phrase[i:]
	if d, n := w.dateAt(phrase, i); n > 0 {
		span, relative := w.spanOf(d)
		return spoken{span, relative}, n
	}
	switch p[0].role {
	case roleDay:
		return spoken{Span{w.today + p[0].value, 1}, true}, 1
	case roleWeekday, roleMaybe:
		return w.weekdayAt(phrase, i)
	case roleShift:
		return w.shiftAt(p)
	case roleSeason:
		if len(p) > 1 && p[1].isYear() {
			return spoken{seasonOf(int(p[1].value), int(p[0].value)), false}, 2
		}
	case roleHoliday:
		return w.holidayAt(p, 0)
	case roleCount, roleNumber, roleHalf:
		return w.agoAt(p)
	case rolePoint:
		if p[0].value == pointIn && len(p) > 2 && p[1].counts() && p[2].role == roleUnit {
			return spoken{w.distant(p[2].value, p[1].value), true}, 3
		}
	}
	return s, 0
}

// dateAt reads a date: with a year or without, of a day, a month or a year.
func (w *when) dateAt(phrase []sign, i int) (d date, n int) {
	p := phrase[i:]
	if both, n := numericDate(p); n > 0 {
		return both[0], n
	}
	if p[0].role == roleWeekday && len(p) > 1 { // Monday, 8 May
		if d, n := w.dateAt(phrase, i+1); n > 0 && d.day > 0 {
			return d, n + 1
		}
		return date{}, 0
	}
	var before sign
	if i > 0 {
		before = phrase[i-1]
	}
	switch {
	case p[0].isDay() && len(p) > 1 && p[1].month() && p[1].joint != jointNone:
		return withYear(date{day: int(p[0].value), month: int(p[1].value)}, p, 2)
	case p[0].isYear() && len(p) > 1 && p[1].joint == '-' && p[1].isDay() && p[1].value <= 12: // 2023-05
		return date{year: int(p[0].value), month: int(p[1].value)}, 2
	case p[0].isYear() && before.role == rolePoint && before.value != pointNumber:
		return date{year: int(p[0].value)}, 1
	case p[0].isYear() && before.is(roleUnit, unitYear):
		return date{year: int(p[0].value)}, 1
	case !p[0].month():
		return d, 0
	}
	d.month = int(p[0].value)
	if len(p) > 1 && p[1].isDay() && (p[1].joint == jointBlank || p[1].joint == jointList) &&
		(len(p) < 3 || !p[2].month()) {
		d.day = int(p[1].value)
		return withYear(d, p, 2)
	}
	d, n = withYear(d, p, 1)
	if n == 1 && p[0].role == rolePerhaps && before.role != rolePoint {
		return date{}, 0 // you may
	}
	return d, n
}

func (s *sign) month() bool { return s.role == roleMonth || s.role == rolePerhaps }

// withYear adds the year that follows n words.
func withYear(d date, p []sign, n int) (date, int) {
	if len(p) > n && p[n].isYear() {
		d.year = int(p[n].value)
		n++
	}
	if d.day > 0 && d.day > daysIn(max(d.year, 2000), d.month) { // 2000 had a 29 February
		d.day = 0
	}
	return d, n
}

// numericDate reads 2023-05-07, 7.5.2023 and 5/14/2024; two dates if it can be either.
func numericDate(p []sign) (both [2]date, n int) {
	if len(p) < 3 || p[0].role != roleNumber || p[1].role != roleNumber || p[2].role != roleNumber ||
		p[1].joint != p[2].joint {
		return both, 0
	}
	of := func(s sign) number { return number{int(s.value), int(s.digits)} }
	found := 0
	for _, dayFirst := range []bool{false, true} {
		d, ok := dateOf(of(p[0]), of(p[1]), of(p[2]), p[1].joint, dayFirst)
		if ok && (found == 0 || d != both[0]) {
			both[found] = d
			found++
		}
	}
	if found == 0 {
		return both, 0
	}
	return both, 3
}

// spanOf is the days of a date; one without a year is the nearest to today.
func (w *when) spanOf(d date) (s Span, relative bool) {
	relative = d.year == 0
	if relative {
		d.year = w.nearestYear(d.month)
		if d.day > daysIn(d.year, d.month) {
			d.day = 0
		}
	}
	switch {
	case d.month == 0:
		return months(d.year, 1, 12), relative
	case d.day == 0:
		return months(d.year, d.month, 1), relative
	}
	return Span{dayNumber(d.year, d.month, d.day), 1}, relative
}

// months is n months from one on, which may be of another year: 0 is December of the year before.
func months(year, month, n int) Span {
	from := dayNumber(year, month, 1)
	return Span{from, dayNumber(year, month+n, 1) - from}
}

// seasonOf is the three months from month on.
func seasonOf(year, month int) Span { return months(year, month, 3) }

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

// weekdayAt reads a weekday: the one before today, the one after it if the words before speak of what is to come.
func (w *when) weekdayAt(phrase []sign, i int) (s spoken, n int) {
	p := phrase[i:]
	if p[0].role == roleMaybe && (i == 0 || !phrase[i-1].is(rolePoint, pointOn)) {
		return s, 0
	}
	if len(p) > 2 && p[1].role == rolePoint && p[2].role == roleShift {
		switch {
		case p[1].value == pointBefore && p[2].value < 0:
			return spoken{Span{weekdayBefore(w.today, p[0].value) - 7, 1}, true}, 3
		case p[1].value == pointAfter && p[2].value > 0:
			return spoken{Span{weekdayAfter(w.today, p[0].value) + 7, 1}, true}, 3
		}
	}
	day := weekdayBefore(w.today, p[0].value)
	if w.ahead > 0 {
		day = weekdayAfter(w.today, p[0].value)
	}
	return spoken{Span{day, 1}, true}, 1
}

// weekdayBefore is the last day of a name before another day, weekdayAfter the next one after it.
func weekdayBefore(day, name int32) int32 { return day - 1 - (weekday(day)-1-name+14)%7 }

func weekdayAfter(day, name int32) int32 { return day + 1 + (name-weekday(day)-1+14)%7 }

// weekday counts from Sunday. 1 January 1970 was a Thursday.
func weekday(day int32) int32 { return ((day+4)%7 + 7) % 7 }

// shiftAt reads last, this or next something.
func (w *when) shiftAt(p []sign) (s spoken, n int) {
	shift := p[0].value
	if len(p) > 2 && p[1].counts() && p[2].role == roleUnit && shift != 0 {
		return spoken{w.stretch(p[2].value, p[1].value, shift), true}, 3 // the last two weeks
	}
	if len(p) < 2 {
		return s, 0
	}
	value := p[1].value
	switch p[1].role {
	case roleUnit:
		if value == unitDay && shift != 0 {
			return s, 0 // the last day of something
		}
		return spoken{w.unit(value, shift), true}, 2
	case roleWeekday, roleMaybe:
		return spoken{Span{w.shiftedWeekday(value, shift), 1}, true}, 2
	case roleMonth, rolePerhaps:
		return spoken{w.shiftedMonths(int(value), 1, shift), true}, 2
	case roleSeason:
		return spoken{w.shiftedMonths(int(value), 3, shift), true}, 2
	case roleHoliday:
		s, n = w.holidayAt(p[1:], shift)
		return s, n + min(n, 1)
	}
	return s, 0
}

// unit is last, this or next unit. Weeks begin on Monday.
func (w *when) unit(unit, shift int32) Span {
	monday := w.today - (weekday(w.today)+6)%7
	switch unit {
	case unitWeek:
		return Span{monday + 7*shift, 7}
	case unitFortnight:
		return Span{monday + 14*shift, 14}
	case unitWeekend:
		return Span{monday + 5 + 7*shift, 2}
	case unitMonth:
		return months(w.year, w.month+int(shift), 1)
	case unitYear:
		return months(w.year+int(shift), 1, 12)
	}
	return Span{w.today + shift, 1}
}

// stretch is the n units that end with today, or that begin with it.
func (w *when) stretch(unit, n, shift int32) Span {
	other := w.moved(unit, n*shift)
	if shift < 0 {
		return Span{other, w.today - other + 1}
	}
	return Span{w.today, other - w.today + 1}
}

// moved is the day n units from today.
func (w *when) moved(unit, n int32) int32 {
	switch unit {
	case unitWeek, unitWeekend:
		return w.today + 7*n
	case unitFortnight:
		return w.today + 14*n
	case unitMonth:
		return dayNumber(w.year, w.month+int(n), min(w.day, daysIn(w.year, w.month+int(n))))
	case unitYear:
		return dayNumber(w.year+int(n), w.month, min(w.day, daysIn(w.year+int(n), w.month)))
	}
	return w.today + n
}

// distant is n units from today, before it if n is below 0: the more remote, the less exact.
func (w *when) distant(unit, n int32) Span {
	switch unit {
	case unitWeek, unitFortnight, unitWeekend:
		return Span{w.moved(unit, n) - 3, 7}
	case unitMonth:
		return months(w.year, w.month+int(n), 1)
	case unitYear:
		return months(w.year+int(n), 1, 12)
	}
	return Span{w.moved(unit, n), 1}
}

// shiftedWeekday is the last day of that name before today, the one from today on, or the next one after today.
func (w *when) shiftedWeekday(name, shift int32) int32 {
	switch {
	case shift < 0:
		return weekdayBefore(w.today, name)
	case shift > 0:
		return weekdayAfter(w.today, name)
	}
	return weekdayAfter(w.today-1, name)
}

// shiftedMonths is a month, or the season of n months from it on: the latest that ended before today's month, this
// year's, or the first that begins after it.
func (w *when) shiftedMonths(month, n int, shift int32) Span {
	year := w.year
	switch {
	case shift < 0 && month+n > w.month:
		year--
	case shift > 0 && month <= w.month:
		year++
	}
	return months(year, month, n)
}

// holidayAt reads a holiday, of a year, of last, this or next year, or the nearest.
func (w *when) holidayAt(p []sign, shift int32) (s spoken, n int) {
	n, eve := 1, int32(0)
	if len(p) > n && p[n].role == roleEve {
		n, eve = n+1, 1
	}
	if len(p) > n && p[n].is(roleUnit, unitDay) {
		n++
	}
	if len(p) > n && p[n].isYear() {
		return spoken{Span{holiday(p[0].value, int(p[n].value)) - eve, 1}, false}, n + 1
	}
	day := holiday(p[0].value, w.year) - eve
	for _, year := range []int{w.year - 1, w.year + 1} {
		other := holiday(p[0].value, year) - eve
		if shift < 0 && other < w.today && day >= w.today || shift > 0 && other > w.today && day <= w.today ||
			shift == 0 && distance(other, w.today) < distance(day, w.today) {
			day = other
		}
	}
	return spoken{Span{day, 1}, true}, n
}

func distance(a, b int32) int32 { return max(a-b, b-a) }

// holiday is the day of a holiday in a year.
func holiday(which int32, year int) int32 {
	switch which {
	case holidayHalloween:
		return dayNumber(year, 10, 31)
	case holidayValentine:
		return dayNumber(year, 2, 14)
	case holidayThanksgiving: // the fourth Thursday of November
		first := dayNumber(year, 11, 1)
		return first + (4-weekday(first)+7)%7 + 21
	}
	return dayNumber(year, 12, 25)
}

// agoAt reads how long ago something was, with halves: half a year ago, a year and a half ago, two and a half years
// ago.
func (w *when) agoAt(p []sign) (s spoken, n int) {
	is := func(roles ...role) bool {
		if len(p) < len(roles) {
			return false
		}
		for i, r := range roles {
			if r == roleCount && !p[i].counts() || r != roleCount && p[i].role != r {
				return false
			}
		}
		return true
	}
	switch {
	case is(roleCount, roleUnit, roleAgo):
		return spoken{w.distant(p[1].value, -p[0].value), true}, 3
	case is(roleHalf, roleCount, roleUnit, roleAgo):
		return w.halves(p[2].value, -1, 4)
	case is(roleCount, roleUnit, roleAnd, roleCount, roleHalf, roleAgo):
		return w.halves(p[1].value, -2*p[0].value-1, 6)
	case is(roleCount, roleAnd, roleCount, roleHalf, roleUnit, roleAgo):
		return w.halves(p[4].value, -2*p[0].value-1, 6)
	}
	return s, 0
}

// halves is n half years or months from today; half of other units says no day.
func (w *when) halves(unit, n int32, words int) (spoken, int) {
	switch unit {
	case unitYear:
		return spoken{w.distant(unitMonth, 6*n), true}, words
	case unitMonth:
		return spoken{w.distant(unitWeek, 2*n), true}, words
	case unitFortnight:
		return spoken{w.distant(unitWeek, n), true}, words
	}
	return spoken{}, words
}
