package lexical

import (
	"unicode"
	"unicode/utf8"
)

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

// decimal is the value of r, a decimal digit of any script: each script has its ten digits one after the other.
func decimal(r rune) byte {
	for _, ranges := range unicode.Nd.R16 {
		if r <= rune(ranges.Hi) {
			return byte((r - rune(ranges.Lo)) % 10)
		}
	}
	for _, ranges := range unicode.Nd.R32 {
		if r <= rune(ranges.Hi) {
			return byte((r - rune(ranges.Lo)) % 10)
		}
	}
	return 0
}
