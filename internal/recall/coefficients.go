package recall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// Weighable lists the terms that can have a coefficient.
func Weighable() []string {
	return []string{
		TermWords, TermMeaning, TermSpeaker, TermTime, TermAssociation, TermPriming, TermUse, TermBelief,
	}
}

// coefficients are what the terms of each score are multiplied by. What finds memories, what activates others and what
// gains are in proportion to goes by the terms as they are.
type coefficients struct {
	words, meaning, speaker, when, association, priming, use, belief float64
	least, most                                                      float64
}

// newCoefficients gives each term that is named its coefficient, the others 1; nil if none is named.
func newCoefficients(named map[string]float64) *coefficients {
	if len(named) == 0 {
		return nil
	}
	c := &coefficients{least: 1, most: 1}
	for name, to := range map[string]*float64{
		TermWords: &c.words, TermMeaning: &c.meaning, TermSpeaker: &c.speaker, TermTime: &c.when,
		TermAssociation: &c.association, TermPriming: &c.priming, TermUse: &c.use, TermBelief: &c.belief,
	} {
		*to = 1
		if value, ok := named[name]; ok {
			*to = value
		}
		c.least, c.most = min(c.least, *to), max(c.most, *to)
	}
	return c
}

func checkCoefficients(named map[string]float64) error {
	for name, value := range named {
		if !slices.Contains(Weighable(), name) {
			return fmt.Errorf("check query: a coefficient of %q: there is only %s", name,
				strings.Join(Weighable(), ", "))
		}
		if !(value >= dynamics.LeastCoefficient && value <= dynamics.MostCoefficient) {
			return fmt.Errorf("check query: the coefficient of %s is %v: it must lie in [%v,%v]", name, value,
				dynamics.LeastCoefficient, dynamics.MostCoefficient)
		}
	}
	return nil
}

// of is the coefficient of a term.
func (c *coefficients) of(name string) float64 {
	switch name {
	case TermWords:
		return c.words
	case TermMeaning:
		return c.meaning
	case TermSpeaker:
		return c.speaker
	case TermTime:
		return c.when
	case TermAssociation:
		return c.association
	case TermPriming:
		return c.priming
	case TermUse:
		return c.use
	case TermBelief:
		return c.belief
	}
	return 1
}

// weighed is a row's relevance with coefficients.
func (r *run) weighed(row uint32, facts *Facts) float64 {
	c := r.coefficients
	sum := c.words*r.words[row] + c.meaning*r.byVector(row)
	if r.own(row) > 0 {
		speaker, when, dated := r.gains(row, facts)
		sum += c.speaker*speaker + c.when*(when+dated)
	}
	return sum + c.association*r.activated(row) + c.priming*r.primed(row)
}

// weigh multiplies terms, and what they come from, by their coefficients.
func (c *coefficients) weigh(terms []Term) {
	if c == nil {
		return
	}
	for i := range terms {
		t := &terms[i]
		by := c.of(t.Name)
		t.Value *= by
		for k := range t.Detail {
			t.Detail[k].Value *= by
		}
	}
}
