package lexical

import (
	"bytes"
	"cmp"
	"context"
	"slices"
)

// Expansion of words that no row alive in the view holds. Measured elsewhere with these numbers, on code comments with
// one typing error in each word: .035 of the questions found their text among the first ten without it, .725 with it,
// and questions without errors lost nothing.
const (
	nearestTerms = 3 // terms that stand in for an unknown word
	nearestDice  = 5 // terms are nearer than 2/5
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
// Each word costs a pass over planes of the vocabulary, see spelling, and a look at the few terms that these leave
// open. It returns the error of ctx.
func (x *Index) Expand(ctx context.Context, q Query, v View) (Query, error) {
	out := Query{Terms: make([]QueryTerm, 0, len(q.Terms))}
	budget := expandedWords
	for _, t := range q.Terms {
		if budget == 0 || t.Aside || !spelled([]byte(t.Term)) || !(t.Weight > 0) || x.held(t.Term, v) {
			out.Terms = append(out.Terms, t)
			continue
		}
		budget--
		near, err := x.nearest(ctx, []byte(t.Term), v)
		if err != nil {
			return Query{}, err
		}
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
	return out, nil
}

// spelled reports whether a term is a word that can be misspelt: not what is too short, too long, begins with a digit
// or is not of an alphabet.
func spelled(term []byte) bool {
	return len(term) >= nearestLetters && len(term) <= maxStemmed && term[0] >= 'a' && term[0] < firstOfThree
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
	return slices.ContainsFunc(newest.hits(id, noWording, v.Rows, nil), func(h hit) bool {
		return v.Ends.EndsAfter(h.row, v.At)
	})
}

// neighbour is a term near a word.
type neighbour struct {
	id   uint32
	dice float64
}

// nearest finds the terms alive in v that are nearest to word, nearest first. Those that cannot come before
// nearestTerms others are not looked at.
func (x *Index) nearest(ctx context.Context, word []byte, v View) ([]neighbour, error) {
	asked := grams(nil, word)
	candidates, err := x.words.spelling.candidates(ctx, asked, x.words.termCount.Load())
	if err != nil {
		return nil, err
	}
	var near, kept []neighbour
	var buffer []uint32
	for i, ids := range candidates {
		for _, id := range ids {
			buffer = grams(buffer[:0], x.words.text(id))
			if c := common(asked, buffer); nearestDice*c > len(asked)+len(buffer) {
				near = append(near, neighbour{id, float64(2*c) / float64(len(asked)+len(buffer))})
			}
		}
		kept = x.firstAlive(near, v)
		// What is to come has a likeness of at most 2/k.
		if k := float64(3 + i); len(kept) == nearestTerms && kept[nearestTerms-1].dice > 2/k {
			break
		}
	}
	return kept, nil
}

// firstAlive sorts near and lists the nearest that a row alive in v holds.
func (x *Index) firstAlive(near []neighbour, v View) (kept []neighbour) {
	slices.SortFunc(near, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.dice, a.dice), bytes.Compare(x.words.text(a.id), x.words.text(b.id)))
	})
	for _, n := range near {
		if x.heldBy(n.id, v) {
			if kept = append(kept, n); len(kept) == nearestTerms {
				break
			}
		}
	}
	return kept
}

// tripleGram marks the grams of three letters; those of two have the bit below.
const tripleGram = 1 << 25

// grams appends the pairs and triples of bytes of word to dst, sorted, each once. Letters of several bytes make more of
// them than others, in both words alike.
func grams(dst []uint32, word []byte) []uint32 {
	const pair, triple = 1 << 24, tripleGram
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

// common counts what two sorted sets have in common.
func common(a, b []uint32) (n int) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			n, i, j = n+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return n
}
