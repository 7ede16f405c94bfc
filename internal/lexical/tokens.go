package lexical

import (
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// kind says how a token becomes a term.
type kind uint8

const (
	word  kind = iota // letters only: may be a stop word, and is stemmed
	exact             // with digits, or a pair of letters: as it is
	aside             // exact, and does not count in the row's length: emoji, and the letters of pairs
)

// maxTerm is the longest term in bytes; what is longer is cut, in documents and questions alike.
const maxTerm = 128

// asciiFold gives the lower case of ASCII letters, digits as they are, and 0 for everything that separates tokens.
const asciiFold = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"0123456789\x00\x00\x00\x00\x00\x00" +
	"\x00abcdefghijklmnopqrstuvwxyz\x00\x00\x00\x00\x00" +
	"\x00abcdefghijklmnopqrstuvwxyz\x00\x00\x00\x00\x00"

// tokenizer cuts text into tokens and hands each to emit, which may keep it until the next call of text. It is for one
// goroutine.
type tokenizer struct {
	emit       func(token []byte, k kind)
	turkic     bool
	companions bool // emit the single letters of runs, too

	ascii      []byte // folded ASCII
	normal     []byte // the chunk under way in NFKC
	segments   *words.Iterator[[]byte]
	token      []byte // the word or emoji under way
	tokenKind  kind
	emoji      bool   // token is an emoji
	run        []byte // letters of a run without spaces
	runEnds    []int  // where each letter of run ends
	lastHebrew bool   // the last rune of token is Hebrew
	stash      []byte // tokens emitted by the long way
}

// text cuts s. Stretches of ASCII are done here; a chunk with other runes in it, up to the next ASCII separator, goes
// the long way. Separators other than quotation marks are boundaries to that way as well, so the cut changes nothing.
func (t *tokenizer) text(s string) {
	if cap(t.ascii) < len(s) {
		t.ascii = make([]byte, len(s)+len(s)/4)
	}
	folded := t.ascii[:len(s)]
	t.stash = t.stash[:0]
	start, k := -1, word
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || t.turkic && c == 'I' {
			from := i
			if start >= 0 {
				from = start
			}
			i = chunkEnd(s, i)
			t.chunk(s[from:i])
			start, k = -1, word
			continue // s[i] is a separator
		}
		f := asciiFold[c&0x7f]
		folded[i] = f
		switch {
		case f == 0:
			if start >= 0 {
				t.emit(clip(folded[start:i]), k)
				start, k = -1, word
			}
			continue
		case start < 0:
			start = i
		}
		if f <= '9' {
			k = exact
		}
	}
	if start >= 0 {
		t.emit(clip(folded[start:]), k)
	}
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
		t.fold(r, raw)
		if class == classDigit {
			t.tokenKind = exact
		}
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
		t.emoji, t.tokenKind = true, aside
		t.token = append(t.token, raw...)
	case classJoiner:
		if t.emoji {
			t.token = append(t.token, raw...)
		}
	case classHebrewQuote:
		if !t.lastHebrew {
			t.endToken()
			t.endRun()
		}
	case classSeparator:
		t.endToken()
		t.endRun()
	case classNothing:
	}
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
	default:
		if lower := unicode.ToLower(r); lower != r {
			t.token = utf8.AppendRune(t.token, lower)
			return
		}
		t.token = append(t.token, raw...)
	}
}

// emitCopy emits a token whose bytes are about to change. The stash may move as it grows; what it moved from stays.
func (t *tokenizer) emitCopy(token []byte, k kind) {
	from := len(t.stash)
	t.stash = append(t.stash, token...)
	t.emit(t.stash[from:], k)
}

// endToken emits the word or emoji under way. A joiner at an emoji's end joins nothing and is dropped.
func (t *tokenizer) endToken() {
	const joiner = "\u200d"
	for t.emoji && len(t.token) > len(joiner) && string(t.token[len(t.token)-len(joiner):]) == joiner {
		t.token = t.token[:len(t.token)-len(joiner)]
	}
	if len(t.token) > 0 {
		t.emitCopy(clip(t.token), t.tokenKind)
	}
	t.token, t.tokenKind, t.emoji, t.lastHebrew = t.token[:0], word, false, false
}

func (t *tokenizer) endEmoji() {
	if t.emoji {
		t.endToken()
	}
}

// endRun emits the pairs of a run of letters without spaces, or its one letter.
func (t *tokenizer) endRun() {
	if len(t.runEnds) == 1 {
		t.emitCopy(clip(t.run), exact)
	}
	start := 0 // of the letter before
	for i := 0; i+1 < len(t.runEnds); i++ {
		t.emitCopy(clip(t.run[start:t.runEnds[i+1]]), exact)
		start = t.runEnds[i]
	}
	start = 0
	for i := 0; t.companions && len(t.runEnds) > 1 && i < len(t.runEnds); i++ {
		t.emitCopy(clip(t.run[start:t.runEnds[i]]), aside)
		start = t.runEnds[i]
	}
	t.run, t.runEnds = t.run[:0], t.runEnds[:0]
}

// class is what a rune does to tokens.
type class uint8

const (
	classSeparator   class = iota
	classLetter            // part of a word
	classDigit             // part of a word that is not stemmed
	classUnspaced          // a letter of a script without spaces between words
	classMark              // belongs to the letter before
	classEmoji             // a symbol that is a token
	classJoiner            // zero-width joiner: between emoji it counts
	classHebrewQuote       // between Hebrew letters: geresh and gershayim
	classNothing           // not there: soft hyphens, direction marks, variation selectors
)

// classify tells the class of r.
func classify(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		return classifyASCII(byte(r))
	case r == '\u200d':
		return classJoiner
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff, unicode.Is(unicode.Cf, r),
		unicode.Is(unicode.Me, r):
		return classNothing
	case unicode.IsLetter(r):
		if unspaced(r) {
			return classUnspaced
		}
		return classLetter
	case unicode.IsMark(r):
		return classMark
	case unicode.IsNumber(r):
		return classDigit
	case r == '״' || r == '׳':
		return classHebrewQuote
	case isEmoji(r):
		return classEmoji
	}
	return classSeparator
}

func classifyASCII(c byte) class {
	switch f := asciiFold[c]; {
	case f > '9':
		return classLetter
	case f > 0:
		return classDigit
	case c == '"' || c == '\'':
		return classHebrewQuote
	}
	return classSeparator
}

// isEmoji admits the symbols people write as words, skin tones among them, but not ornaments such as box drawing, nor
// what stands for bytes that are not UTF-8.
func isEmoji(r rune) bool {
	const firstArrow, firstBox, lastBox = 0x2190, 0x2500, 0x259f
	if r < firstArrow || r == utf8.RuneError || r >= firstBox && r <= lastBox {
		return false
	}
	return unicode.Is(unicode.So, r) || r >= 0x1f3fb && r <= 0x1f3ff
}

// unspaced reports whether r, a letter, is of a script that writes no spaces between words, or, as in Korean, sets
// particles against them. The ranges below the ideographs are whole blocks; the long-vowel mark of kana is common to
// two scripts and therefore of none in Unicode's tables.
func unspaced(r rune) bool {
	switch {
	case r < 0x0e00:
		return false
	case r < 0x0f00, // Thai, Lao
		r >= 0x1000 && r < 0x10a0, r >= 0xa9e0 && r < 0xaa00, r >= 0xaa60 && r < 0xaa80, // Myanmar
		r >= 0x1780 && r < 0x1800,                                                       // Khmer
		r >= 0x1950 && r < 0x19e0, r >= 0x1a20 && r < 0x1ab0, r >= 0xaa80 && r < 0xaae0, // Tai
		r == 'ー':
		return true
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
