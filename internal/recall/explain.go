package recall

import (
	"fmt"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/lexical"
)

// explain makes the hits with their terms.
func (r *run) explain(best []keyed[float64]) {
	var words [][]lexical.TermScore
	var similarities map[uint32]float32
	if r.q.Explain {
		words, similarities = r.details(best)
	}
	r.out.Hits = make([]Hit, len(best))
	for i, b := range best {
		hit := Hit{Row: b.row, Score: b.key}
		if value := r.words[b.row]; value > 0 {
			term := Term{Name: TermWords, Value: value}
			if words != nil {
				term.Detail = wordParts(words[i])
			}
			hit.Terms = append(hit.Terms, term)
		}
		if value := r.byVector(b.row); value > 0 {
			term := Term{Name: TermMeaning, Value: value}
			if similarity, ok := similarities[b.row]; ok {
				term.Detail = []Part{{Name: fmt.Sprintf("%v %.4f", r.c.Metric, similarity), Value: value}}
			}
			hit.Terms = append(hit.Terms, term)
		}
		if r.own(b.row) > 0 {
			hit.Terms = r.gainTerms(b.row, hit.Terms)
		}
		if value := r.activated(b.row); value > 0 {
			hit.Terms = append(hit.Terms, r.associationTerm(b.row, value))
		}
		if value := r.primed(b.row); value > 0 {
			hit.Terms = append(hit.Terms, r.primingTerm(b.row, value))
		}
		r.coefficients.weigh(hit.Terms)
		hit.Terms = append(hit.Terms, r.historyTerms(b.row)...)
		r.out.Hits[i] = hit
	}
}

// details looks up what explains words and meaning: a pass over the question's postings, and one over the
// similarities.
func (r *run) details(best []keyed[float64]) (words [][]lexical.TermScore, similarities map[uint32]float32) {
	rows := make([]uint32, len(best))
	for i, b := range best {
		rows[i] = b.row
	}
	if len(r.question.Terms) > 0 {
		words = r.c.Words.ExplainRows(r.question, r.population.view(r.c), rows)
	}
	if len(r.near) == 0 {
		return words, nil
	}
	slices.Sort(rows)
	similarities = make(map[uint32]float32, len(rows))
	for i, row := range r.scan.Rows {
		if _, found := slices.BinarySearch(rows, row); found {
			similarities[row] = r.scan.Similarities[i]
		}
	}
	return words, similarities
}

func wordParts(terms []lexical.TermScore) []Part {
	parts := make([]Part, len(terms))
	for i, t := range terms {
		parts[i] = Part{Name: t.Term, Value: t.Score}
		if t.For != "" {
			parts[i].Name = t.For + " ~ " + t.Term
		}
	}
	return parts
}

func (r *run) associationTerm(row uint32, value float64) Term {
	term := Term{Name: TermAssociation, Value: value}
	if !r.q.Explain {
		return term
	}
	if walked := r.activated(row); walked > 0 {
		term.Detail = append(term.Detail, r.givers(&r.walks.found, row, walked, 0, "")...)
	}
	return term
}

func (r *run) part(share graph.Share) Part {
	id, err := r.c.Source.ID(share.From)
	if err != nil {
		id = "(damaged)"
	}
	return Part{Name: id, Value: share.Value}
}

// byTime ranks all members by time, newest first.
func (r *run) byTime() error {
	err := r.eachRow(r.c.Rows, func(row uint32) {
		if r.member(row) {
			r.rows = append(r.rows, row)
		}
	})
	if err != nil {
		return err
	}
	slices.Reverse(r.rows) // later rows are mostly newer: with these first, few others displace them
	occurred := func(row uint32) int64 { return r.c.Facts.At(row).OccurredAt }
	best, err := top(r.ctx, r.rows, r.q.Limit, occurred, r.c.Source.ID)
	if err != nil {
		return err
	}
	r.out.Hits = make([]Hit, len(best))
	for i, b := range best {
		days, value := recency(b.key, r.q.Now)
		term := Term{Name: TermRecency, Value: value}
		if r.q.Explain {
			term.Detail = []Part{{Name: fmt.Sprintf("%.2f days", days), Value: value}}
		}
		r.out.Hits[i] = Hit{Row: b.row, Score: value, Terms: []Term{term}}
	}
	return nil
}

// recency is 1/(1+age in days), 1 for what is yet to come: in (0,1].
func recency(at, now int64) (days, value float64) {
	days = max(0, (float64(now)-float64(at))/float64(24*time.Hour))
	return days, 1 / (1 + days)
}
