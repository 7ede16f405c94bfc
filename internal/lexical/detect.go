package lexical

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// A stop word speaks for each of its languages with evidence/n, n being how many have it; a letter or a script that few
// have does so, too. A text is of the language that most speaks for, if that is more than speaks for the one that is
// presumed, and as much as two stop words that no other language has, and as every eighth word being one.
const (
	evidence       = 12
	enoughEvidence = 2 * evidence
	enoughOfWords  = evidence / 8.
)

// detector finds the language of a text by its tokens. The zero value is ready.
type detector struct {
	votes [len(languages)]int
	words int
}

// letters are those of the Latin script that tell languages apart.
var letters = map[rune]uint32{
	'å': 1<<4 | 1<<12 | 1<<17, 'æ': 1<<4 | 1<<12, 'ø': 1<<4 | 1<<12, 'ä': 1<<6 | 1<<8 | 1<<17,
	'ö': 1<<6 | 1<<8 | 1<<9 | 1<<17 | 1<<19, 'ü': 1<<8 | 1<<9 | 1<<19, 'ñ': 1 << 16, 'ã': 1 << 13, 'õ': 1 << 13,
	'ő': 1 << 9, 'ű': 1 << 9, 'ğ': 1 << 19, 'ı': 1 << 19, 'ş': 1<<14 | 1<<19, 'ș': 1 << 14, 'ț': 1 << 14, 'ţ': 1 << 14,
	'ă': 1 << 14, 'î': 1<<7 | 1<<14, 'â': 1<<7 | 1<<13 | 1<<14, 'ê': 1<<7 | 1<<13, 'è': 1<<7 | 1<<11, 'ù': 1<<7 | 1<<11,
	'ì': 1 << 11, 'ò': 1 << 11, 'ç': 1<<7 | 1<<13 | 1<<19, 'œ': 1 << 7, 'ë': 1<<5 | 1<<7,
}

// word takes the lexeme of a word of the text, nil if it has none. Names are no part of a language: those who call
// leave them out.
func (d *detector) word(l *lexeme) {
	d.words++
	if l != nil && l.stops != 0 {
		d.vote(l.stops&^(1<<inPorter), evidence) // porter is no language of its own
	}
}

// letters takes the letters of a word beyond ASCII.
func (d *detector) letters(token []byte) {
	for _, r := range string(token) {
		switch {
		case r < utf8.RuneSelf:
		case letters[r] != 0:
			d.vote(letters[r], evidence/2)
		case unicode.Is(unicode.Cyrillic, r):
			d.vote(1<<inRussian, d.oneOf(r, "іїєґўђјљњћџѓќ", evidence/4))
		case unicode.Is(unicode.Arabic, r):
			d.vote(1<<inArabic, d.oneOf(r, "پچژگکی", evidence/4))
		case unicode.Is(unicode.Tamil, r):
			d.vote(1<<inTamil, evidence/4)
		}
	}
}

// oneOf is what a letter of a script speaks for its one language with stemmer: against it, if other languages have it.
func (d *detector) oneOf(r rune, others string, votes int) int {
	for _, other := range others {
		if r == other {
			return -4 * enoughEvidence
		}
	}
	return votes
}

// vote gives votes to several languages, in equal parts.
func (d *detector) vote(languages uint32, votes int) {
	share := votes / max(1, bits.OnesCount32(languages))
	for ; languages != 0; languages &= languages - 1 {
		d.votes[bits.TrailingZeros32(languages)] += share
	}
}

// language is that of the text; nil if too little speaks for any, or as much for presumed as for another.
func (d *detector) language(presumed *language) *language {
	best := presumed
	for i := range languages {
		if d.votes[i] > d.votes[best.id] {
			best = &languages[i]
		}
	}
	if votes := d.votes[best.id]; votes < enoughEvidence || float64(votes) < enoughOfWords*float64(d.words) {
		return nil
	}
	return best
}
