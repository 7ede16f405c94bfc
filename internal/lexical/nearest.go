package lexical

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// Expansion of words that no row alive in the view holds. Measured elsewhere with these numbers, on code comments with
// one typing error in each word: .035 of the questions found their text among the first ten without it, .725 with it,
// and questions without errors lost nothing.
const (
	nearestTerms = 3  // terms that stand in for an unknown word
	nearestDice  = .4 // terms are nearer than this
	// Shorter words have too few pairs of letters to tell a neighbour from a stranger, and pairs of ideographs are no
	// misspelling of each other: words in scripts of three bytes a letter are left alone.
	nearestLetters = 4
	firstOfThree   = 0xe0
	// expandedWords bounds how many words of a question are expanded: each costs a pass over the vocabulary.
	expandedWords = 4
)

// Expand replaces each term of q that no row alive in v holds by the terms of v nearest in spelling, which carry the
// word they stand for in For and its weight times the square of their likeness. Words that nothing resembles stay.
//
// Likeness is Dice's coefficient over the pairs and triples of letters, 2 |A and B| / (|A| + |B|). Terms that are
// equally near are taken in alphabetical order. The result depends on the rows alive in v alone.
//
// It goes once through the signatures of the vocabulary for each word that it expands, 16 bytes a term, and looks at
// the few terms whose signature leaves it open: about a millisecond for 300,000 terms.
func (x *Index) Expand(q Query, v View) Query {
	out := Query{Terms: make([]QueryTerm, 0, len(q.Terms))}
	budget := expandedWords
	for _, t := range q.Terms {
		if budget == 0 || t.Aside || !spelled(t.Term) || !(t.Weight > 0) || x.held(t.Term, v) {
			out.Terms = append(out.Terms, t)
			continue
		}
		budget--
		near := x.nearest([]byte(t.Term), v)
		if len(near) == 0 {
			out.Terms = append(out.Terms, t)
		}
		for _, n := range near {
			text := string(x.words.text(n.id))
			if slices.ContainsFunc(q.Terms, func(other QueryTerm) bool { return other.Term == text }) {
				continue // asked for already, in full
			}
			out.Terms = append(out.Terms, QueryTerm{
				Term: text, Weight: float64(t.Weight * float64(n.dice*n.dice)), For: t.Term,
			})
		}
	}
	return out
}

// spelled reports whether a term is a word that can be misspelt.
func spelled(term string) bool {
	once, _ := signatureOf([]byte(term))
	return once != signature{}
}

// held reports whether a row alive in v holds term.
func (x *Index) held(term string, v View) bool {
	id, found := x.words.findTerm([]byte(term))
	return found && x.heldBy(id, v)
}

func (x *Index) heldBy(id uint32, v View) bool {
	if v.Docs <= 0 {
		return false
	}
	newest := x.tail.Load()
	c := x.postings.read(&x.words.term(id).list)
	for limit := min(v.Rows, newest.listed()); ; {
		h, ok := c.next(noWording)
		if !ok || h.row >= limit {
			break
		}
		if v.Ends.EndsAfter(h.row, v.At) {
			return true
		}
	}
	return slices.ContainsFunc(newest.hits(id, noWording, v.Rows, nil), func(h hit) bool { return v.Ends.EndsAfter(h.row, v.At) })
}

// neighbour is a term near a word.
type neighbour struct {
	id   uint32
	dice float64
}

// nearest finds the terms alive in v that are nearest to word, nearest first.
func (x *Index) nearest(word []byte, v View) []neighbour {
	asked := grams(nil, word)
	once, twice := signatureOf(word)
	size := len(asked)
	var near []neighbour
	var buffer []uint32
	for id := range x.words.termCount.Load() {
		if !x.words.signatures.Has(id) {
			break
		}
		// What the two share is at most common, and the term has at least as many grams as bits.
		s := x.words.signatures.At(id)
		common := s.common(once) + s.common(twice)
		if 2*float64(common) <= nearestDice*float64(size+s.bits()) {
			continue
		}
		buffer = grams(buffer[:0], x.words.text(id))
		if d := dice(asked, buffer); d > nearestDice {
			near = append(near, neighbour{id, d})
		}
	}
	slices.SortFunc(near, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.dice, a.dice), bytes.Compare(x.words.text(a.id), x.words.text(b.id)))
	})
	kept := near[:0]
	for _, n := range near {
		if x.heldBy(n.id, v) {
			if kept = append(kept, n); len(kept) == nearestTerms {
				break
			}
		}
	}
	return kept
}

// grams appends the pairs and triples of bytes of word to dst, sorted, each once. Letters of several bytes make more of
// them than others, in both words alike.
func grams(dst []uint32, word []byte) []uint32 {
	const pair, triple = 1 << 24, 1 << 25
	for i := 1; i < len(word); i++ {
		two := uint32(word[i-1])<<8 | uint32(word[i])
		dst = append(dst, pair|two)
		if i > 1 {
			dst = append(dst, triple|uint32(word[i-2])<<16|two)
		}
	}
	slices.Sort(dst)
	return slices.Compact(dst)
}

// dice is Dice's coefficient of two sorted sets.
func dice(a, b []uint32) float64 {
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			common, i, j = common+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(2*common) / float64(len(a)+len(b))
}

// signature has a bit for each pair of a word in its first element, and for each triple in its second; the bits of
// several may be the same one.
type signature [2]uint64

func (s *signature) common(o signature) int {
	return bits.OnesCount64(s[0]&o[0]) + bits.OnesCount64(s[1]&o[1])
}

func (s *signature) bits() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

// mark sets a bit: in twice, if it is set already.
func mark(once, twice *uint64, gram uint32) {
	const factor, shift = 0x9e3779b1, 26
	bit := uint64(1) << (gram * factor >> shift)
	*twice |= *once & bit
	*once |= bit
}

// signatureOf gives the signature of word, and that of the bits that more than one of its grams has set: that three
// share one is left out of account, and costs a term that is hardly near enough. Both are empty for what is neither
// expanded nor expanded to: what is too short, too long, begins with a digit or is not of an alphabet.
func signatureOf(word []byte) (once, twice signature) {
	if len(word) < nearestLetters || len(word) > maxStemmed || word[0] < 'a' || word[0] >= firstOfThree {
		return once, twice
	}
	for i := 1; i < len(word); i++ {
		two := uint32(word[i-1])<<8 | uint32(word[i])
		mark(&once[0], &twice[0], two)
		if i > 1 {
			mark(&once[1], &twice[1], uint32(word[i-2])<<16|two)
		}
	}
	return once, twice
}
