package lexical

import (
	"bytes"
	"strconv"
	"time"
)

// What stands without a blank is often one thing with parts: getUserById, internal/lexical/when.go, ada@example.org,
// v1.24.3, 2023-05-07, $1,200.50. Its tokens are what separators leave, as anywhere; beside them, aside, stand
//
//   - the parts of a token, cut where small letters go over into capitals, letters into digits or back;
//   - wholes: what dots, underscores and the like join, and all of it, without the separators but for a dot between two
//     digits: getuserbyid, whengo, internallexicalwhengo, exampleorg, 1.24.3. So get_user_by_id is getUserById;
//   - of a date its month by name and its day without a leading zero, as the day of a memory is indexed.
//
// A number is one token, whatever commas are in it, and an ordinal is its number: 1,000,000 and 7th are 1000000 and 7.

const (
	// maxParts bounds the parts of a token, and maxSwitches how often it may go from letters to digits or back: what
	// has more is no name that somebody made, but a hash or a key.
	maxParts    = 8
	maxSwitches = 3
	// maxWhole bounds what is joined; wholes are cut to maxTerm.
	maxWhole = 2 * maxTerm
)

// wholeMark is in front of wholes, so that no misspelt word is taken for one.
var wholeMark = []byte{2}

// cutter finds the places where an identifier has parts.
type cutter struct {
	last, older trait // of the last rune, and of the one before if no cut lies between
	place       int   // of the last rune
	switches    int   // between letters and digits
	at          []int
}

// note notes that a rune with the trait tr stands at place at of the token under way.
func (c *cutter) note(tr trait, at int) {
	if at == 0 {
		*c = cutter{last: tr, at: c.at[:0]}
		return
	}
	last, older := c.last, c.older
	c.last, c.older = tr, last
	switch {
	case last&digit != tr&digit:
		c.switches++
		c.at, c.older = append(c.at, at), 0
	case last&lower != 0 && tr&upper != 0:
		c.at, c.older = append(c.at, at), 0
	case last&upper != 0 && older&upper != 0 && tr&lower != 0:
		c.at = append(c.at, c.place)
	}
	c.place = at
}

// end takes a token in lower case whose runes have the traits first and rest; raw is what it was, or "" if its cuts are
// noted already.
func (t *tokenizer) end(token []byte, first, rest trait, j joint, raw string) {
	switch all := first | rest; {
	case all&digit == 0 && rest&upper == 0:
		k := word
		if first&upper != 0 && rest != 0 && (j == jointBlank || j == jointList) {
			k = named
		}
		t.next(token, k, j)
	case all&letter == 0:
		t.next(token, exact, j)
	case t.plain && all&digit == 0:
		t.next(token, word, j)
	case t.plain:
		t.next(token, exact, j)
	default:
		for i := range len(raw) {
			t.cuts.note(trait(traitsOf[raw[i]&0x7f]), i)
		}
		t.mixed(token, all, j)
	}
}

// mixed takes a token with digits and letters, or with capitals inside.
func (t *tokenizer) mixed(token []byte, all trait, j joint) {
	digits := 0
	for digits < len(token) && isDigit(token[digits]) {
		digits++
	}
	switch unit := string(token[digits:]); {
	case all&(digit|lower) == 0:
		t.next(token, named|capital, j)
		return
	case digits > 0 && (unit == "st" || unit == "nd" || unit == "rd" || unit == "th"):
		t.next(token, exact, j)
		t.emit(clip(token[:digits]), exact|aside, jointNone)
		return
	case digits == 2 && len(token) == 5 && token[2] == 't' && allDigits(token[3:]): // 07T10, of a date with a time
		t.next(token[:2], exact, j)
		t.next(token[3:], exact, jointPath)
		return
	}
	k := word
	if all&digit != 0 {
		k = exact
	}
	t.next(token, k, j)
	t.parts(token)
}

// parts emits the parts of the identifier that was taken last, but for single letters. Of 5k, 5000 is one.
func (t *tokenizer) parts(token []byte) {
	c := &t.cuts
	if n := len(token) - 1; token[n] == 'k' && allDigits(token[:n]) {
		t.emit(clip(append(t.keep(token[:n]), "000"...)), exact|aside|part, jointNone)
		return
	}
	if n := len(c.at); n > 0 && c.at[n-1] == len(token)-2 && token[len(token)-1] == 's' && c.last == lower {
		c.at = c.at[:n-1] // URLs
	}
	if len(c.at) == 0 || len(c.at) >= maxParts || c.switches > maxSwitches {
		return
	}
	from := 0
	for i := 0; i <= len(c.at); i++ {
		to := len(token)
		if i < len(c.at) {
			to = c.at[i]
		}
		switch piece := token[from:to]; {
		case isDigit(piece[0]):
			t.emit(clip(piece), exact|aside|part, jointNone)
		case len(piece) > 1:
			t.emit(clip(piece), aside|part, jointNone)
		}
		from = to
	}
}

// next takes a token. The one before is emitted now: it does not go on.
func (t *tokenizer) next(token []byte, k kind, j joint) {
	before := t.held
	t.held = heldToken{text: token, kind: k, joint: j}
	if before.text == nil {
		return
	}
	joined := trait(traitsOf[j&0x7f])&joiner != 0 && !t.plain
	if j == ',' && !t.plain && t.wholes.parts == 0 && grouped(before.text, token) {
		t.held = heldToken{text: append(t.keep(before.text), token...), kind: exact, joint: before.joint, amount: true}
		return
	}
	t.emit(clip(before.text), before.kind, before.joint)
	switch {
	case joined && t.wholes.parts == 0:
		t.wholes.begin(before)
		t.join(token, j)
	case joined:
		t.join(token, j)
	case t.wholes.parts > 0:
		t.closeWholes()
	}
}

// grouped reports whether three digits go on with a number: 1,000.
func grouped(number, group []byte) bool {
	return len(group) == 3 && allDigits(group) && len(number) < maxTerm && allDigits(number) && number[0] != '0'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// compound is what stands joined.
type compound struct {
	text   []byte    // the tokens, joined
	parts  int       // how many; 0 if nothing is joined
	name   int       // where the name under way begins in text: what dots, underscores and the like join
	inName int       // tokens of the name
	words  bool      // the name has nothing but words and hyphens
	amount bool      // of money, or written with commas
	last   [2]number // the last two tokens, if they are numbers
	joints [2]joint  // before them
}

// number is a token of up to four digits; of no digits if it is none.
type number struct {
	value  int
	digits int
}

func numberIn(token []byte) number {
	if len(token) > 4 || !allDigits(token) {
		return number{}
	}
	n := number{digits: len(token)}
	for _, c := range token {
		n.value = n.value*10 + int(c-'0')
	}
	return n
}

func (c *compound) begin(first heldToken) {
	*c = compound{text: append(c.text[:0], first.text...), parts: 1, inName: 1, words: !hasDigit(first.text)}
	c.amount = first.amount || first.joint == jointCurrency
	c.last[1] = numberIn(first.text)
}

func hasDigit(token []byte) bool { return bytes.ContainsAny(token, "0123456789") }

// join adds a token to what stands joined.
func (t *tokenizer) join(token []byte, j joint) {
	c := &t.wholes
	if trait(traitsOf[j&0x7f])&major != 0 {
		t.endName()
		c.inName, c.words = 0, true
	}
	if n := numberIn(token); n.digits > 0 && c.last[0].digits > 0 && c.last[1].digits > 0 && c.joints[1] == j {
		t.date(c.last[0], c.last[1], n, j)
	}
	c.last[0], c.last[1] = c.last[1], numberIn(token)
	c.joints[0], c.joints[1] = c.joints[1], j
	if n := len(c.text); n < maxWhole {
		if isDigit(c.text[n-1]) && isDigit(token[0]) {
			c.text = append(c.text, '.')
		}
		if c.inName == 0 {
			c.name = len(c.text)
		}
		c.text = append(c.text, clip(token)...)
	}
	c.words = c.words && !hasDigit(token) && (j == '-' || c.inName == 0)
	c.parts++
	c.inName++
}

// endName emits the name that ends.
func (t *tokenizer) endName() {
	if c := &t.wholes; c.inName > 1 && !c.words {
		t.whole(c.text[min(c.name, len(c.text)):])
	}
}

// closeWholes emits what was joined up to here.
func (t *tokenizer) closeWholes() {
	c := &t.wholes
	t.endName()
	if c.parts > c.inName {
		t.whole(c.text)
	}
	if c.amount && c.parts == 2 && c.last[0].digits+c.last[1].digits > 0 && c.joints[1] == '.' {
		if short := bytes.TrimRight(c.text, "0"); !bytes.HasSuffix(short, []byte(".")) && len(short) < len(c.text) {
			t.whole(short)
		}
	}
	c.parts = 0
}

// whole emits names joined. The v of a version is left out.
func (t *tokenizer) whole(text []byte) {
	if len(text) > 2 && text[0] == 'v' && isDigit(text[1]) && bytes.IndexByte(text, '.') > 0 {
		text = text[1:]
	}
	if len(text) > 1 {
		t.emit(clip(append(t.keep(wholeMark), text...)), exact|aside, jointNone)
	}
}

// date emits the words of a date in numbers. Where the day and the month could each be the other, both months are
// named: the text's language is not known yet.
func (t *tokenizer) date(a, b, c number, j joint) {
	for _, dayFirst := range []bool{false, true} {
		d, ok := dateOf(a, b, c, j, dayFirst)
		if !ok || dayFirst && d == t.lastDate {
			continue
		}
		t.lastDate = d
		name := []byte(time.Month(d.month).String())
		name[0] = asciiFold[name[0]]
		t.emit(t.keep(name), aside, jointNone)
		t.emit(strconv.AppendInt(t.keep(nil), int64(d.day), 10), exact|aside, jointNone)
		if c.digits == 2 {
			t.emit(strconv.AppendInt(t.keep(nil), int64(d.year), 10), exact|aside, jointNone)
		}
	}
	t.lastDate = date{}
}

// dateOf reads three numbers with j between them as a date: 2023-05-07, 7.5.2023, 5/7/2023, 5/7/23. Of the last two,
// the day is first if dayFirst says so or the month could be none.
func dateOf(a, b, c number, j joint, dayFirst bool) (date, bool) {
	d := date{}
	switch {
	case j != '-' && j != '.' && j != '/':
		return d, false
	case a.digits == 4 && b.digits <= 2 && c.digits <= 2:
		d = date{year: a.value, month: b.value, day: c.value}
	case a.digits <= 2 && b.digits <= 2 && (c.digits == 4 || c.digits == 2 && j == '/'):
		d = date{year: c.value, month: b.value, day: a.value}
		if (j == '/' && !dayFirst || b.value > 12) && a.value <= 12 {
			d.month, d.day = a.value, b.value
		}
		if c.digits == 2 {
			d.year += 1900
			if c.value < 70 {
				d.year += 100
			}
		}
	}
	return d, isYear(int32(d.year)) && d.month >= 1 && d.month <= 12 && d.day >= 1 && d.day <= daysIn(d.year, d.month)
}
