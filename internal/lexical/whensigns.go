package lexical

// role is what a word does in an expression of time.
type role uint8

const (
	roleNone   role = iota
	roleFiller      // of, the, s: as if they were not there
	rolePoint       // what follows is a date if it can be: value is a point
	roleAnd         // and
	roleShift       // last, this, next: value is -1, 0, 1
	roleThen        // following
	roleCount       // value is the number, in words
	roleHalf
	roleLater // later
	roleAgo   // ago, back
	roleAhead // will: a weekday is to come
	roleSee   // see, before roleYou the same
	roleYou
	// Without one of those from here on a phrase names no time.
	roleDay     // yesterday, today, tomorrow: value is the distance
	roleUnit    // day, week, month, year and others: value is a unit
	roleWeekday // value counts from Sunday
	roleMaybe   // mon, wed, sat, sun: a weekday if the word before says so
	roleMonth   // value counts from 1
	rolePerhaps // may, march: a month if the words beside it say so
	roleSeason  // value is the season's first month
	roleHoliday // value is a holiday
	roleEve
	roleNumber // value is the number, in digits

	roleStrong = roleDay
)

const (
	unitDay = iota
	unitWeek
	unitFortnight
	unitWeekend
	unitMonth
	unitYear
	unitNight // and morning, evening
)

const (
	pointAny = iota
	pointIn
	pointOn
	pointFrom
	pointBetween
	pointTo // and until, till, through
	pointBefore
	pointAfter
	pointNumber // around, by: no year need follow
)

const (
	holidayChristmas = iota
	holidayHalloween
	holidayValentine
	holidayThanksgiving
)

// sign is a word of a phrase.
type sign struct {
	value  int32
	role   role
	digits uint8 // of a number
	joint  joint // what stands before it
}

// counts reports whether the sign is a number of something: 3, three.
func (s *sign) counts() bool {
	return s.role == roleCount ||
		s.role == roleNumber && (s.joint == jointBlank || s.joint == jointList || s.joint == jointNone)
}

// isDay reports whether the sign is a number that can be a day of a month.
func (s *sign) isDay() bool {
	return s.role == roleNumber && s.digits <= 2 && s.value >= 1 && s.value <= 31
}

func (s *sign) isYear() bool {
	return s.role == roleNumber && s.digits == 4 && isYear(s.value) && s.joint != jointCurrency
}

func (s *sign) is(r role, value int32) bool { return s.role == r && s.value == value }

// timeWords are the words that do something in an expression of time, for the lexicon.
var timeWords = [...]struct {
	role  role
	value int32
	words string // parted by blanks
}{
	{roleFiller, 0, "of the s"},
	{rolePoint, pointIn, "in within"},
	{rolePoint, pointOn, "on"},
	{rolePoint, pointAny, "since during early late mid over for"},
	{rolePoint, pointNumber, "around by"},
	{rolePoint, pointFrom, "from"},
	{rolePoint, pointBetween, "between"},
	{rolePoint, pointTo, "to until till through"},
	{rolePoint, pointBefore, "before"},
	{rolePoint, pointAfter, "after"},
	{roleAnd, 0, "and"},
	{roleAgo, 0, "ago back"},
	{roleLater, 0, "later afterwards"},
	{roleThen, 0, "following"},
	{roleShift, -1, "last past previous"},
	{roleShift, 0, "this"},
	{roleShift, 1, "next coming upcoming"},
	{roleHalf, 0, "half"},
	{roleUnit, unitDay, "day days"},
	{roleUnit, unitWeek, "week weeks"},
	{roleUnit, unitFortnight, "fortnight fortnights"},
	{roleUnit, unitWeekend, "weekend weekends"},
	{roleUnit, unitMonth, "month months"},
	{roleUnit, unitYear, "year years"},
	{roleUnit, unitNight, "night nights morning afternoon evening"},
	{roleCount, 1, "a an one"},
	{roleCount, 2, "two couple"},
	{roleCount, 3, "three few"},
	{roleCount, 4, "four several"},
	{roleCount, 5, "five"},
	{roleCount, 6, "six"},
	{roleCount, 7, "seven"},
	{roleCount, 8, "eight"},
	{roleCount, 9, "nine"},
	{roleCount, 10, "ten"},
	{roleCount, 11, "eleven"},
	{roleCount, 12, "twelve"},
	{roleDay, -1, "yesterday"},
	{roleDay, 0, "today tonight"},
	{roleDay, 1, "tomorrow"},
	{roleSeason, 3, "spring"},
	{roleSeason, 6, "summer"},
	{roleSeason, 9, "autumn fall"},
	{roleSeason, 12, "winter"},
	{roleHoliday, holidayChristmas, "christmas xmas"},
	{roleHoliday, holidayHalloween, "halloween"},
	{roleHoliday, holidayValentine, "valentine valentines"},
	{roleHoliday, holidayThanksgiving, "thanksgiving"},
	{roleEve, 0, "eve"},
	{roleWeekday, 0, "sunday"},
	{roleWeekday, 1, "monday"},
	{roleWeekday, 2, "tuesday tues"},
	{roleWeekday, 3, "wednesday"},
	{roleWeekday, 4, "thursday thu thur thurs"},
	{roleWeekday, 5, "friday fri"},
	{roleWeekday, 6, "saturday"},
	{roleMaybe, 0, "sun"},
	{roleMaybe, 1, "mon"},
	{roleMaybe, 2, "tue"},
	{roleMaybe, 3, "wed"},
	{roleMaybe, 6, "sat"},
	{rolePerhaps, 5, "may"},
	{rolePerhaps, 3, "march mar"},
	{roleMonth, 1, "jan january"},
	{roleMonth, 2, "feb february"},
	{roleMonth, 4, "apr april"},
	{roleMonth, 6, "jun june"},
	{roleMonth, 7, "jul july"},
	{roleMonth, 8, "aug august"},
	{roleMonth, 9, "sep sept september"},
	{roleMonth, 10, "oct october"},
	{roleMonth, 11, "nov november"},
	{roleMonth, 12, "dec december"},
	{roleAhead, 0, "will ll shall gonna lets"},
	{roleSee, 0, "see"},
	{roleYou, 0, "you ya"},
}

// numberOf reads a number of up to four digits, with the ending of an ordinal or without.
func numberOf(token []byte) sign {
	value, i := int32(0), 0
	for ; i < len(token) && i < 4 && token[i] >= '0' && token[i] <= '9'; i++ {
		value = value*10 + int32(token[i]-'0')
	}
	switch string(token[i:]) {
	case "", "st", "nd", "rd", "th":
		return sign{role: roleNumber, value: value, digits: uint8(i)}
	}
	return sign{}
}
