package lexical

import (
	"hash/maphash"
	"strings"
	"sync"
)

// seed is that of all hash tables of words. It is drawn anew in each process, as the words come from users, and shows
// in no result.
var seed = maphash.MakeSeed()

func hashOf(token []byte) uint64 { return maphash.Bytes(seed, token) }

// lexeme is a word that means something to the analysis of text, in one language or several.
type lexeme struct {
	text  string
	stops uint32 // the languages, by their ids, in which it is a stop word
	sign  sign   // what it does in an expression of time
}

// lexicon finds lexemes by their hash. Nearly all words are none, and cost one look at a slot.
type lexicon struct {
	slots [1 << lexiconBits]uint32 // the highest bits of the hash, and 1 + the place in words; 0 is empty
	words []lexeme
}

const (
	lexiconBits = 13
	placeBits   = 13
	tagShift    = 64 - (32 - placeBits)
)

// known is the lexicon of all languages, made when it is first asked.
var known = sync.OnceValue(func() *lexicon {
	x := new(lexicon)
	for i := range languages {
		for word := range strings.FieldsSeq(languages[i].stops) {
			x.learn(word).stops |= 1 << languages[i].id
		}
	}
	for _, t := range timeWords {
		for word := range strings.FieldsSeq(t.words) {
			x.learn(word).sign = sign{role: t.role, value: t.value}
		}
	}
	return x
})

// learn finds the lexeme of a word, or makes it.
func (x *lexicon) learn(text string) *lexeme {
	word := []byte(text)
	hash := hashOf(word)
	if l := x.find(hash, word); l != nil {
		return l
	}
	i := hash & (1<<lexiconBits - 1)
	for x.slots[i] != 0 {
		i = (i + 1) & (1<<lexiconBits - 1)
	}
	x.words = append(x.words, lexeme{text: text})
	x.slots[i] = uint32(hash>>tagShift)<<placeBits | uint32(len(x.words))
	return &x.words[len(x.words)-1]
}

// find finds the lexeme of a word in lower case with its hash; nil if it is none.
func (x *lexicon) find(hash uint64, word []byte) *lexeme {
	for i := hash & (1<<lexiconBits - 1); ; i = (i + 1) & (1<<lexiconBits - 1) {
		s := x.slots[i]
		if s == 0 {
			return nil
		}
		if s>>placeBits == uint32(hash>>tagShift) {
			if l := &x.words[s&(1<<placeBits-1)-1]; l.text == string(word) {
				return l
			}
		}
	}
}
