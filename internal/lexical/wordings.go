package lexical

import (
	"cmp"
	"slices"
)

// A term has wordings: the words that are stemmed to it, numbered so that a row that says it as the question does can
// rank above one that says it otherwise. A number is made of the word and its stem alone, so that what an index met
// before, and whether that was kept, shows in no result.
const (
	// maxWordings is how many wordings of one term are told apart in a row: a row with more has it in anyWording only.
	maxWordings = 3
	// anyWording is the number of several wordings that are not told apart.
	anyWording = 255
	// noWording is asked for if the question has a term in no word.
	noWording = anyWording
	// maxEach bounds how often each wording is counted in a row that has several.
	maxEach = 255
)

// wordingOf numbers the word that is stemmed to stem, below anyWording. The stem itself is 0. Of two other words that
// share a stem one pair in 254 shares the number, and counts as the same word.
func wordingOf(word, stem []byte) uint8 {
	at := 0
	for at < len(word) && at < len(stem) && word[at] == stem[at] {
		at++
	}
	rest := word[at:]
	if len(rest) == 0 && at == len(stem) {
		return 0
	}
	const offset, prime = 2166136261, 16777619 // FNV-1a
	h := uint32(offset)
	for _, b := range rest {
		h = (h ^ uint32(b)) * prime
	}
	h = (h ^ uint32(len(stem)-at)) * prime
	return 1 + uint8(h>>8%(anyWording-1))
}

// use is how often a row has a term in one wording: the wording in the upper 8 bits, the frequency in the others.
type use uint32

const frequencyBits = 24

func newUse(wording uint8, frequency uint32) use {
	return use(wording)<<frequencyBits | use(min(frequency, 1<<frequencyBits-1))
}

func (u use) wording() uint8 { return uint8(u >> frequencyBits) }

func (u use) frequency() uint32 { return uint32(u & (1<<frequencyBits - 1)) }

// settleWordings puts the wordings of a term beside each other and keeps what a posting can hold of them. It is for
// rows that have a term in several wordings.
func settleWordings(counts []count) []count {
	slices.SortStableFunc(counts, func(a, b count) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.wording, b.wording))
	})
	kept := counts[:0]
	for from, to := 0, 0; from < len(counts); from = to {
		sum := uint32(0)
		for to = from; to < len(counts) && counts[to].id == counts[from].id; to++ {
			sum += counts[to].frequency
		}
		uses := counts[from:to]
		if len(uses) > maxWordings {
			uses = uses[:1]
			uses[0].wording, uses[0].frequency = anyWording, sum
		}
		for _, c := range uses {
			if len(uses) > 1 {
				c.frequency = min(c.frequency, maxEach)
			}
			kept = append(kept, c)
		}
	}
	return kept
}
