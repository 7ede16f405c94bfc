package lexical

import (
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// kind says how a token becomes a term: a word, which may be a stop word and is stemmed, unless a bit says otherwise.
type kind uint8

const (
	word  kind = 0
	exact kind = 1 << 0 // as it is: with digits, or a pair of letters
	aside kind = 1 << 1 // does not count in the row's length: emoji, letters of pairs, parts and wholes of identifiers
	// named is a word with an initial in upper case within a sentence, or in upper case throughout, which is capital as
	// well. If it is a stop word it is a term all the same, as it is and aside: The Who, IT.
	named   kind = 1 << 2
	capital kind = 1 << 3
	part    kind = 1 << 4 // of the token that follows next without being aside
)

// maxTerm is the longest term in bytes; what is longer is cut, in documents and questions alike.
const maxTerm = 128

// trait is what an ASCII character is to the cutting of text.
type trait uint8

const (
	lower    trait = 1 << iota
	upper          // folded to lower
	digit          //
	minor          // joins parts of a name: when.go, user_id
	major          // joins names: internal/lexical, ada@example.org
	blank          // parts words only: blanks, apostrophes
	pause          // any other: a sentence may end here, or begin, as at joiners
	currency       // before an amount

	letter = lower | upper
	joiner = minor | major
)

// traitsOf gives the traits of the ASCII characters. The comma has none.
const traitsOf = "" +
	"\x40\x40\x40\x40\x40\x40\x40\x40\x40\x20\x40\x40\x40\x40\x40\x40" +
	"\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40\x40" +
	"\x20\x40\x40\x10\xc0\x10\x08\x20\x40\x40\x40\x08\x00\x08\x08\x10" +
	"\x04\x04\x04\x04\x04\x04\x04\x04\x04\x04\x10\x40\x40\x40\x40\x10" +
	"\x10\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02" +
	"\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x40\x10\x40\x40\x08" +
	"\x40\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01" +
	"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x40\x40\x40\x10\x40"

// asciiFold gives the lower case of ASCII letters, digits as they are, and 0 for everything that separates tokens.
const asciiFold = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"0123456789\x00\x00\x00\x00\x00\x00" +
	"\x00abcdefghijklmnopqrstuvwxyz\x00\x00\x00\x00\x00" +
	"\x00abcdefghijklmnopqrstuvwxyz\x00\x00\x00\x00\x00"

// joint is what stands between a token and the one before: the one ASCII character that joins them, or one of these.
type joint = byte

const (
	jointNone     joint = 0   // the beginning of the text, or something that may end a sentence
	jointBlank    joint = ' ' // blanks only
	jointList     joint = ';' // blanks and commas
	jointCurrency joint = '$' // a sign of currency, last
	jointPath     joint = '/' // also several of the characters that join names, as in http://
)

// tokenizer cuts text into tokens and hands each to emit, which may keep it until the next call of text. It is for one
// goroutine.
type tokenizer struct {
	emit       func(token []byte, k kind, j joint)
	turkic     bool
	companions bool // emit the single letters of runs, too
	wide       bool // the text had letters beyond ASCII
	plain      bool // no identifiers, no normal forms: what separators leave, and nothing besides

	between trait // separators since the last token
	count   int   // how many
	last    byte  // the last of them; 0 if it is not ASCII
	held    heldToken
	wholes  compound

	lastDate date // the last reading of a date in numbers

	ascii      []byte // folded ASCII
	normal     []byte // the chunk under way in NFKC
	segments   *words.Iterator[[]byte]
	token      []byte // the word or emoji under way
	first      trait  // of its first rune
	rest       trait  // of the others
	cuts       cutter // where it has parts, if it is an identifier
	emoji      bool   // token is an emoji
	run        []byte // letters of a run without spaces
	runEnds    []int  // where each letter of run ends
	lastHebrew bool   // the last rune of token is Hebrew
	stash      []byte // tokens emitted by the long way
}

// heldToken is the last token, kept back until it is known whether it goes on: in 1,000 it does.
type heldToken struct {
	text  []byte // nil: there is none
	kind  kind
	joint joint
	// amount: a number with commas.
	amount bool
}

// text cuts s. Stretches of ASCII are done here; a chunk with other runes in it, up to the next ASCII separator, goes
// the long way. Separators other than quotation marks are boundaries to that way as well, so the cut changes nothing.
func (t *tokenizer) text(s string) {
	if cap(t.ascii) < len(s) {
		t.ascii = make([]byte, len(s)+len(s)/4)
	}
	folded := t.ascii[:len(s)]
	t.stash, t.wide = t.stash[:0], false
	t.between, t.count, t.last = 0, 0, 0
	start, first, rest := -1, trait(0), trait(0)
	between, count := trait(0), 0 // as in t, which has them while the long way is gone
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || t.turkic && c == 'I' {
			from := i
			if start >= 0 {
				from = start
			} else if tr, width := separator(s[i:]); width > 0 {
				between, count, i = between|tr, count+1, i+width-1
				continue
			}
			i, t.wide = chunkEnd(s, i), true
			t.between, t.count, t.last = between, count, before(s, from)
			t.chunk(s[from:i])
			between, count, start = t.between, t.count, -1
			if i < len(s) {
				between, count = between|trait(traitsOf[s[i]&0x7f]), count+1 // s[i] is a separator
			}
			continue
		}
		f, tr := asciiFold[c&0x7f], trait(traitsOf[c&0x7f])
		folded[i] = f
		switch {
		case f == 0:
			if start >= 0 {
				t.end(folded[start:i], first, rest, t.joint(between, count, before(s, start)), s[start:i])
				start, between, count = -1, 0, 0
			}
			between, count = between|tr, count+1
		case start < 0:
			start, first, rest = i, tr, 0
		default:
			rest |= tr
		}
	}
	if start >= 0 {
		t.end(folded[start:], first, rest, t.joint(between, count, before(s, start)), s[start:])
	}
	t.flush()
}

// before is the byte of s before place i.
func before(s string, i int) byte {
	if i == 0 {
		return 0
	}
	return s[i-1]
}

// joint tells what count separators with these traits are between two tokens.
func (t *tokenizer) joint(between trait, count int, last byte) joint {
	switch {
	case count == 0:
		return jointNone
	case between == blank:
		return jointBlank
	case between&currency != 0 && (last == '$' || last >= utf8.RuneSelf):
		return jointCurrency
	case between&(pause|joiner) == 0:
		if count == 1 {
			return ','
		}
		return jointList
	case count == 1 && between&joiner != 0:
		return last
	case count <= 3 && between == major:
		return jointPath
	}
	return jointNone
}

// chunkEnd finds the first ASCII separator of s from i on that is not a quotation mark (those join Hebrew letters).
func chunkEnd(s string, i int) int {
	for ; i < len(s); i++ {
		if c := s[i]; c < utf8.RuneSelf && asciiFold[c] == 0 && c != '"' && c != '\'' {
			break
		}
	}
	return i
}

// separator gives the traits and the width of a rune at the beginning of s that is not ASCII and parts words wherever
// it stands: typographic punctuation, signs of currency. The width is 0 for everything else.
func separator(s string) (trait, int) {
	switch {
	case len(s) >= 3 && s[0] == 0xe2 && s[1] == 0x80: // U+2000 to U+203F
		switch c := s[2]; {
		case c == 0x98 || c == 0x99: // ‘ ’
			return blank, 3
		case c >= 0x90 && c <= 0xa2 && c != 0x97: // dashes, quotation marks, bullets
			return pause, 3
		}
	case len(s) >= 3 && s[0] == 0xe2 && s[1] == 0x82 && s[2] == 0xac: // €
		return pause | currency, 3
	case len(s) >= 2 && s[0] == 0xc2:
		switch s[1] {
		case 0xa3, 0xa5: // £ ¥
			return pause | currency, 2
		case 0xa1, 0xab, 0xbb, 0xbf: // ¡ « » ¿
			return pause, 2
		}
	}
	return 0, 0
}

// clip cuts a token to maxTerm bytes at a rune's start.
func clip(token []byte) []byte {
	if len(token) <= maxTerm {
		return token
	}
	n := maxTerm
	for n > 0 && !utf8.RuneStart(token[n]) {
		n--
	}
	return token[:n]
}

// chunk cuts any text by the rules of Unicode, and what those leave together by rune.
func (t *tokenizer) chunk(s string) {
	if norm.NFKC.QuickSpanString(s) == len(s) {
		t.normal = append(t.normal[:0], s...)
	} else {
		t.normal = norm.NFKC.AppendString(t.normal[:0], s)
	}
	if t.segments == nil {
		t.segments = words.FromBytes(nil)
	}
	t.segments.SetText(t.normal)
	for t.segments.Next() {
		t.segment(t.segments.Value())
	}
	t.endRun()
}

// segment takes one word, emoji, separator or letter of a run, as Annex 29 cuts them.
func (t *tokenizer) segment(s []byte) {
	for len(s) > 0 {
		r, width := utf8.DecodeRune(s)
		t.rune(r, s[:width])
		s = s[width:]
	}
	t.endToken()
}

// rune takes the next rune of a segment and its bytes.
func (t *tokenizer) rune(r rune, raw []byte) {
	switch class := classify(r); class {
	case classLetter, classDigit:
		t.endRun()
		t.endEmoji()
		t.letter(r, raw, class)
		t.lastHebrew = unicode.Is(unicode.Hebrew, r)
	case classUnspaced:
		t.endToken()
		t.run = append(t.run, raw...)
		t.runEnds = append(t.runEnds, len(t.run))
	case classMark:
		switch {
		case len(t.token) > 0 && !t.emoji:
			t.token = append(t.token, raw...)
		case len(t.runEnds) > 0:
			t.run = append(t.run, raw...)
			t.runEnds[len(t.runEnds)-1] = len(t.run)
		}
	case classEmoji:
		t.endRun()
		if !t.emoji {
			t.endToken()
		}
		t.emoji = true
		t.token = append(t.token, raw...)
	case classJoiner:
		if t.emoji {
			t.token = append(t.token, raw...)
		}
	case classHebrewQuote:
		if !t.lastHebrew {
			t.separate(r)
		}
	case classSeparator:
		t.separate(r)
	case classNothing:
	}
}

// separate takes a separator of the long way.
func (t *tokenizer) separate(r rune) {
	t.endToken()
	t.endRun()
	tr := pause
	switch {
	case r < utf8.RuneSelf:
		tr = trait(traitsOf[r])
	case r == '’' || r == '‘' || unicode.Is(unicode.Zs, r):
		tr = blank
	case unicode.Is(unicode.Sc, r):
		tr |= currency
	}
	t.between, t.count, t.last = t.between|tr, t.count+1, byte(min(r, utf8.RuneSelf))
}

// letter appends r, a letter or a digit, to the token in lower case.
func (t *tokenizer) letter(r rune, raw []byte, class class) {
	tr := lower
	switch {
	case class == classDigit:
		tr = digit
	case unicode.IsUpper(r):
		tr = upper
	}
	if len(t.token) == 0 {
		t.first, t.rest = tr, 0
	} else {
		t.rest |= tr
	}
	t.cuts.note(tr, len(t.token))
	t.fold(r, raw)
}

// fold appends the lower case of r to the token.
func (t *tokenizer) fold(r rune, raw []byte) {
	switch {
	case t.turkic && r == 'I':
		t.token = append(t.token, "ı"...)
	case r < utf8.RuneSelf:
		t.token = append(t.token, asciiFold[r])
	case r == 'ß' || r == 'ẞ':
		t.token = append(t.token, "ss"...)
	case r == 'ς':
		t.token = append(t.token, "σ"...)
	case !t.plain && unicode.Is(unicode.Nd, r):
		t.token = append(t.token, '0'+decimal(r))
	default:
		if lower := unicode.ToLower(r); lower != r {
			t.token = utf8.AppendRune(t.token, lower)
			return
		}
		t.token = append(t.token, raw...)
	}
}

// keep copies a token whose bytes are about to change. The stash may move as it grows; what it moved from stays.
func (t *tokenizer) keep(token []byte) []byte {
	from := len(t.stash)
	t.stash = append(t.stash, token...)
	return t.stash[from:len(t.stash):len(t.stash)]
}

// endToken ends the word or emoji under way. A joiner at an emoji's end joins nothing and is dropped.
func (t *tokenizer) endToken() {
	const joiner = "\u200d"
	switch {
	case t.emoji:
		for len(t.token) > len(joiner) && string(t.token[len(t.token)-len(joiner):]) == joiner {
			t.token = t.token[:len(t.token)-len(joiner)]
		}
		t.alone(t.keep(t.token), exact|aside)
	case len(t.token) > 0:
		t.end(t.keep(t.token), t.first, t.rest, t.joint(t.between, t.count, t.last), "")
		t.between, t.count = 0, 0
	}
	t.token, t.emoji, t.lastHebrew = t.token[:0], false, false
}

func (t *tokenizer) endEmoji() {
	if t.emoji {
		t.endToken()
	}
}

// endRun emits the pairs of a run of letters without spaces, or its one letter.
func (t *tokenizer) endRun() {
	if len(t.runEnds) == 1 {
		t.alone(t.keep(t.run), exact)
	}
	start := 0 // of the letter before
	for i := 0; i+1 < len(t.runEnds); i++ {
		t.alone(t.keep(t.run[start:t.runEnds[i+1]]), exact)
		start = t.runEnds[i]
	}
	start = 0
	for i := 0; t.companions && len(t.runEnds) > 1 && i < len(t.runEnds); i++ {
		t.alone(t.keep(t.run[start:t.runEnds[i]]), exact|aside)
		start = t.runEnds[i]
	}
	t.run, t.runEnds = t.run[:0], t.runEnds[:0]
}

// alone emits a token that is joined with nothing.
func (t *tokenizer) alone(token []byte, k kind) {
	t.flush()
	t.emit(clip(token), k, jointNone)
	t.between, t.count = 0, 0
}

// flush emits what is held back.
func (t *tokenizer) flush() {
	if t.held.text != nil {
		t.emit(clip(t.held.text), t.held.kind, t.held.joint)
		t.held.text = nil
	}
	if t.wholes.parts > 0 {
		t.closeWholes()
	}
}
