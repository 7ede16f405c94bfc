package recall

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/graph"
)

// RingSize is the number of memories that were used last which prime a recall: the session ring of Query.Ring. From the
// model that [Weights] names.
const RingSize = 20

// Used is a memory that was of use lately.
type Used struct {
	Row uint32
	Age int64 // nanoseconds since; below 0 is 0
}

// walks are the activations of one recall.
type walks struct {
	found  graph.Activation // from what was found by words and meaning
	ring   graph.Activation // from what was used lately
	values []float64
	seeds  []graph.Seed
}

// walk lets activation spread from the strongest rows, and from those used lately.
func (r *run) walk() {
	r.strongest = 0
	for _, row := range r.rows {
		r.strongest = max(r.strongest, r.score(row))
	}
	if r.strongest == 0 {
		return
	}
	r.byFound = worthOf(r.weights.Association*r.strongest, r.weights.Pi0)
	r.byRing = worthOf(r.weights.Priming*r.strongest, r.weights.PrimedPi0)
	n := r.network
	n.Session = SessionWeight
	w := graph.DefaultWalk()
	w.Trace, w.Even, w.Hops = r.q.Explain, r.off(StepFan), r.q.Hops
	if r.weights.Association > 0 && !r.off(TermAssociation) {
		r.walks.found.Spread(&n, r.foundSeeds(), w)
		r.walked = true
	}
	if seeds := r.ringSeeds(); len(seeds) > 0 {
		r.walks.ring.Spread(&n, seeds, w)
		r.primes = true
	}
}

// foundSeeds are the strongest rows, with shares by what words and meaning say of them. As many as share the
// last place are taken too if there is room for all of them, else none of them: the choice does not depend on the
// order of rows.
func (r *run) foundSeeds() []graph.Seed {
	const most = 512 // chosen: a question that so many memories answer equally well is about none of them
	rows := r.rows
	if size := r.weights.Seeds; len(rows) > size {
		cut := largest(rows, size, r.score)
		strong, above := []uint32{}, []uint32{}
		for _, row := range rows {
			if s := r.score(row); s >= cut {
				strong = append(strong, row)
				if s > cut {
					above = append(above, row)
				}
			}
		}
		rows = strong
		if len(rows) > max(most, size) {
			rows = above
		}
	}
	seeds := r.walks.seeds[:0]
	for _, row := range rows {
		seeds = append(seeds, graph.Seed{Row: row})
	}
	words := r.shareOut(seeds, func(row uint32) float64 { return r.words[row] })
	meaning := r.shareOut(seeds, r.byVector)
	for i := range seeds {
		seeds[i].Mass /= words + meaning
	}
	r.walks.seeds = seeds
	return seeds
}

// shareOut adds to each seed what a softmax of the scores of one channel gives it of the largest of them, and returns
// that. Each channel has its own softmax, so that one which repeats the other does not make the best of both stand out.
func (r *run) shareOut(seeds []graph.Seed, score func(row uint32) float64) (largest float64) {
	for _, s := range seeds {
		largest = max(largest, score(s.Row))
	}
	if largest == 0 {
		return 0
	}
	mass := func(s graph.Seed) float64 { return math.Exp((score(s.Row)/largest - 1) / r.weights.Temperature) }
	values := r.walks.values[:0]
	for _, s := range seeds {
		values = append(values, mass(s))
	}
	sum := inOrder(values)
	for i, s := range seeds {
		seeds[i].Mass += largest * mass(s) / sum
	}
	r.walks.values = values
	return largest
}

// inOrder adds values up, smallest first: the sum depends on nothing but the values. It sorts them.
func inOrder(values []float64) float64 {
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// ringSeeds are the members used lately: the share of each falls with its age in minutes. They are not brought to 1, so
// that what was used long ago primes little even if nothing else was.
func (r *run) ringSeeds() []graph.Seed {
	if !(r.weights.Priming > 0) || !(r.weights.Ring > 0) || r.off(TermPriming) {
		return nil
	}
	var seeds []graph.Seed
	var values []float64
	for _, used := range r.q.Ring {
		twice := slices.ContainsFunc(seeds, func(s graph.Seed) bool { return s.Row == used.Row })
		if !twice && r.member(used.Row) {
			mass := 1 / math.Sqrt(1+minutes(used.Age))
			seeds = append(seeds, graph.Seed{Row: used.Row, Mass: mass, Keep: true})
			values = append(values, mass)
		}
	}
	all := max(1, inOrder(values))
	for i := range seeds {
		seeds[i].Mass *= r.weights.Ring / all
	}
	return seeds
}

func minutes(age int64) float64 { return max(0, float64(age)/float64(time.Minute)) }

// worth is what a probability of activation counts for: nothing for 0, most for 1.
type worth struct{ half, scale float64 }

func worthOf(most, half float64) worth { return worth{half, most / math.Log1p(1/half)} }

func (w worth) of(pi float64) float64 {
	if pi <= 0 {
		return 0
	}
	return w.scale * math.Log1p(pi/w.half)
}

// activated is what activation from what was found gives to a row.
func (r *run) activated(row uint32) float64 {
	if !r.walked {
		return 0
	}
	return r.byFound.of(r.walks.found.Pi(row))
}

// primed is what activation from what was used lately gives to a row that something else speaks for.
func (r *run) primed(row uint32) float64 {
	if !r.primes {
		return 0
	}
	return r.byRing.of(r.walks.ring.Pi(row))
}

// chooseWalked chooses the rows that received activation: all that what was found activates, and of those that are
// only primed the ones that were found.
func (r *run) chooseWalked() {
	if r.walked {
		r.walks.found.Each(func(row uint32, _ float64) { r.choose(row) })
	}
	if r.primes {
		r.walks.ring.Each(func(row uint32, _ float64) {
			if r.score(row) > 0 {
				r.choose(row)
			}
		})
	}
}

// mostGivers is how many memories are named that activation came from. Chosen.
const mostGivers = 8

// givers names who activated row, with the parts that their shares have of value; more than mostGivers share a part.
// own, if above 0, is what the row has by itself, and is named as ownName.
func (r *run) givers(a *graph.Activation, row uint32, value, own float64, ownName string) []Part {
	shares := a.Givers(row)
	all := own + graph.Sum(shares)
	var parts []Part
	for _, s := range shares {
		p := r.part(s)
		p.Value = value * s.Value / all
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name))
	})
	if len(parts) > mostGivers {
		rest := Part{Name: fmt.Sprintf("%d more", len(parts)-mostGivers+1)}
		for _, p := range parts[mostGivers-1:] {
			rest.Value += p.Value
		}
		parts = append(parts[:mostGivers-1], rest)
	}
	if own > 0 {
		parts = append([]Part{{Name: ownName, Value: value * own / all}}, parts...)
	}
	return parts
}

// primingTerm explains priming: by the use of the memory itself, and of others that are associated.
func (r *run) primingTerm(row uint32, value float64) Term {
	term := Term{Name: TermPriming, Value: value}
	if !r.q.Explain {
		return term
	}
	own, name := 0.0, ""
	for _, seed := range r.ringSeeds() {
		if seed.Row == row {
			own = seed.Mass
		}
	}
	for _, used := range r.q.Ring {
		if used.Row == row && name == "" {
			name = fmt.Sprintf("used %.1f minutes ago", minutes(used.Age))
		}
	}
	term.Detail = r.givers(&r.walks.ring, row, value, own, name)
	return term
}
