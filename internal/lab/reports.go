package lab

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	engram "github.com/orchard9/engram-go"
)

// The world of K2: facts that sources report, rightly or wrongly.
const (
	factCount   = 6000
	factBlock   = 250 // facts told before any of them is checked
	sourceCount = 40
	mostReports = 6
	factSeed    = 2024
)

// condition is one setting of K2.
type condition struct {
	low, high float64 // between which the reliabilities of the sources lie
	copied    float64 // share of reports that repeat an earlier one
	checked   float64 // share of facts that are checked
}

func conditions() (all []condition) {
	for _, span := range [][2]float64{{.55, .95}, {.35, .99}} {
		for _, copied := range []float64{0, .25, .5} {
			for _, checked := range []float64{.2, .02} {
				all = append(all, condition{span[0], span[1], copied, checked})
			}
		}
	}
	return all
}

// report is what one source says: right or not.
type report struct {
	source int
	right  bool
}

// reports makes up what is reported of one fact: by one to six sources, each once. What the first of them says is the
// memory; the others agree or do not.
func (c *condition) reports(r *rand.Rand, reliability []float64) []report {
	all := make([]report, 1+r.IntN(mostReports))
	for i, source := range r.Perm(sourceCount)[:len(all)] {
		all[i] = report{source, r.Float64() < reliability[source]}
		if i > 0 && r.Float64() < c.copied {
			all[i].right = all[r.IntN(i)].right
		}
	}
	return all
}

// believed is how far statements are believed, in one condition.
type believed struct{ engine, independence, counts []float64 }

// The ways to read it.
func byEngine(b *believed) []float64       { return b.engine }
func byIndependence(b *believed) []float64 { return b.independence }

// reported is a condition after it was played.
type reported struct {
	believed
	right []bool
}

// calibrated is K2.
func calibrated(b *bench, read func(*believed) []float64) (f finding, err error) {
	if b.reported == nil {
		if b.reported, err = playAll(b); err != nil {
			return f, err
		}
	}
	mean, worst, score, counts := 0.0, 0.0, 0.0, 0.0
	for i := range b.reported {
		r, share := &b.reported[i], 1/float64(len(b.reported))
		error := calibrationError(read(&r.believed), r.right)
		mean, worst = mean+error*share, max(worst, error)
		score += brier(read(&r.believed), r.right) * share
		counts += brier(r.counts, r.right) * share
	}
	f.engine = fmt.Sprintf("calibration error %.3f, worst %.3f; Brier score %.3f, that of Beta counts for each memory "+
		"%.3f", mean, worst,
		score, counts)
	bound := &b.published.bounds
	f.check(mean <= bound.BeliefECE, "error %.3f, at most %v is wanted", mean, bound.BeliefECE)
	f.check(worst <= bound.BeliefECEWorst, "worst error %.3f, at most %v is wanted", worst, bound.BeliefECEWorst)
	f.check(counts-score >= bound.BeliefBrierGap, "Brier score is better by %.3f, at least %v is wanted", counts-score,
		bound.BeliefBrierGap)
	return f, nil
}

// playAll plays the conditions, each in a space of its own, side by side: they wait for the disk most of the time.
func playAll(b *bench) ([]reported, error) {
	all := conditions()
	out, errs := make([]reported, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	for i := range all {
		s, err := b.space()
		if err != nil {
			errs[i] = err
			break
		}
		wait.Go(func() {
			if out[i], errs[i] = all[i].play(s, rand.New(rand.NewPCG(factSeed, uint64(i)))); errs[i] != nil {
				errs[i] = fmt.Errorf("condition %d: %w", i, errs[i])
			}
		})
	}
	wait.Wait()
	return out, errors.Join(errs...)
}

// play lets the sources speak, block by block; what is checked of a block adjusts the sources for those that follow.
func (c *condition) play(s *subject, r *rand.Rand) (out reported, err error) {
	reliability := make([]float64, sourceCount)
	for i := range reliability {
		reliability[i] = c.low + (c.high-c.low)*r.Float64()
	}
	for first := 0; first < factCount; first += factBlock {
		block := make([][]report, factBlock)
		ids := make([]string, factBlock)
		for i := range block {
			block[i], ids[i] = c.reports(r, reliability), fmt.Sprintf("fact%d", first+i)
		}
		s.tell(ids, block)
		if err := s.read(&out, ids, block); err != nil {
			return out, err
		}
		s.verify(ids, block, func() bool { return r.Float64() < c.checked })
	}
	return out, s.err
}

func sourceName(i int) string { return fmt.Sprint("source", i) }

// tell stores the reports: agreement is telling the same again, denial is feedback.
func (s *subject) tell(ids []string, block [][]report) {
	var drafts []engram.Draft
	denied := make([][]string, sourceCount)
	for i, reports := range block {
		for _, one := range reports {
			if one.right != reports[0].right {
				denied[one.source] = append(denied[one.source], ids[i])
				continue
			}
			drafts = append(drafts, engram.Draft{
				ID: ids[i], Content: "what is so of " + ids[i],
				Source: sourceName(one.source),
			})
		}
	}
	s.rememberAll(drafts)
	for source, wrong := range denied {
		if len(wrong) > 0 {
			s.feedback(engram.Feedback{Wrong: wrong, Source: sourceName(source)})
		}
	}
}

// read asks how far the statements are believed.
func (s *subject) read(out *reported, ids []string, block [][]report) error {
	beliefs := map[string]*engram.Memory{}
	answer := s.recall(engram.Cue{IDs: ids, Limit: len(ids)})
	for i := range answer.Hits {
		beliefs[answer.Hits[i].ID] = &answer.Hits[i].Memory
	}
	for i, id := range ids {
		m := beliefs[id]
		if m == nil || m.Belief == nil {
			return errors.Join(s.err, fmt.Errorf("no belief of %s", id))
		}
		agree, deny := 0., 0.
		for _, one := range block[i] {
			if one.right == block[i][0].right {
				agree++
			} else {
				deny++
			}
		}
		out.engine = append(out.engine, m.Belief.Probability)
		out.independence = append(out.independence, independent(m))
		out.counts = append(out.counts, (2+agree)/(3+agree+deny)) // Beta(2,1)
		out.right = append(out.right, block[i][0].right)
	}
	return s.err
}

// verify checks some of the facts, and says so.
func (s *subject) verify(ids []string, block [][]report, drawn func() bool) {
	var found [2][]string
	for i, id := range ids {
		if !drawn() {
			continue
		}
		right := 0
		if block[i][0].right {
			right = 1
		}
		found[right] = append(found[right], id)
	}
	for right, signal := range []engram.Signal{engram.Wrong, engram.Confirmed} {
		if len(found[right]) > 0 {
			s.feedback(engram.Feedback{IDs: found[right], Signal: signal, Source: "check", Verified: true})
		}
	}
}

// voice is one report of K3.
type voice struct {
	source string
	agrees bool
}

// voices is K3: the same reports in several orders, and each of them again. With renamed every report comes under a
// name that was never heard.
func voices(b *bench, renamed bool) (f finding, err error) {
	said := []voice{{"Bo", true}, {"Ines", false}, {"Wen", true}, {"Tariq", true}}
	r := rand.New(rand.NewPCG(factSeed, 3))
	var first float64
	for order := range 6 {
		s, err := b.space()
		if err != nil {
			return f, err
		}
		s.begin()
		names := 0
		say := func(v voice) float64 {
			if names++; renamed {
				v.source = fmt.Sprint("somebody", names)
			}
			return s.say(v)
		}
		p := 0.0
		for i, v := range said {
			now := say(v)
			f.check(i == 0 || now != p, "order %d: %s changes nothing", order, v.source)
			p = say(v)
			f.check(p == now, "order %d: %s saying it again moves %.6f to %.6f", order, v.source, now, p)
		}
		if s.err != nil {
			return f, s.err
		}
		if order == 0 {
			first = p
		}
		f.check(math.Abs(p-first) <= b.published.bounds.Belief, "order %d: %.6f, before %.6f", order, p, first)
		r.Shuffle(len(said), func(i, j int) { said[i], said[j] = said[j], said[i] })
	}
	merged, err := b.merged(said, renamed)
	f.check(math.Abs(merged-first) <= b.published.bounds.Belief, "two copies that heard half each and were joined: "+
		"%.6f", merged)
	f.misses = shortened(f.misses)
	f.engine = fmt.Sprintf("probability %.6f in six orders, each report told twice; %.6f in two copies that heard "+
		"half each and were joined", first, merged)
	return f, err
}

// merged is how far a memory is believed in two copies of a space of which each hears half of what is said, after each
// was imported into the other, twice.
func (b *bench) merged(said []voice, renamed bool) (float64, error) {
	origin, err := b.space()
	if err != nil {
		return 0, err
	}
	origin.begin()
	var copies [2]*subject
	names := 0
	for i := range copies {
		if copies[i], err = b.space(); err != nil {
			return 0, err
		}
		copies[i].take(origin)
		for _, v := range said[i*len(said)/2 : (i+1)*len(said)/2] {
			if names++; renamed {
				v.source = fmt.Sprint("somebody", names)
			}
			copies[i].say(v)
		}
	}
	for range 2 {
		copies[0].take(copies[1])
		copies[1].take(copies[0])
	}
	p, other := copies[0].get("m").Belief, copies[1].get("m").Belief
	if err := errors.Join(origin.err, copies[0].err, copies[1].err); err != nil {
		return 0, err
	}
	if math.Abs(p.Probability-other.Probability) > b.published.bounds.Belief {
		return 0, fmt.Errorf("joined copies believe it with %v and %v", p.Probability, other.Probability)
	}
	return p.Probability, nil
}

// begin stores what K3 is about, in a space where two of its sources are known.
func (s *subject) begin() {
	s.checked("Ines", 1, 2)
	s.checked("Wen", 7, 1)
	s.remember(engram.Draft{ID: "m", Content: "The ferry leaves at seven.", Source: "Ada"})
}

// take imports everything that another space has.
func (s *subject) take(other *subject) {
	var out bytes.Buffer
	_, err := other.s.Export(s.b.ctx, &out)
	other.keep(err)
	if s.err == nil && other.err == nil {
		_, err = s.s.Import(s.b.ctx, &out, engram.ImportOptions{Strict: true})
		s.keep(err)
	}
}

// say tells what a source says, and gives how far it is believed then.
func (s *subject) say(v voice) float64 {
	if v.agrees {
		s.remember(engram.Draft{Content: "The ferry leaves at seven.", Source: v.source})
	} else {
		s.feedback(engram.Feedback{Wrong: []string{"m"}, Source: v.source})
	}
	m := s.get("m")
	if m.Belief == nil {
		s.keep(errors.New("no belief"))
		return 0
	}
	return m.Belief.Probability
}
