package recall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// MaxLimit is the largest Limit of a Query.
const MaxLimit = 1000

// Query is one question. Everything given takes effect.
type Query struct {
	// Text is ranked by its words, Embedding by its direction. With neither, memories are ranked by time.
	Text      string
	Embedding []float32
	// Now decides what has expired, and how recent a memory is; nanoseconds since 1970 UTC.
	Now     int64
	Limit   int // hits wanted: 1 to MaxLimit
	Filters Filters
	Explain bool // give the terms' details
	// Ring are the memories that were of use last, the newest [RingSize] of them; they prime others. A row counts once.
	Ring []Used
	// Hops, if it is not nil, is how many associations activation goes over at most; 0 leaves it where it begins.
	Hops *int
	// Model says how memories fade; nil means the default weights of forgetting.
	Model *dynamics.Model
	// Weights nil means DefaultWeights.
	Weights *Weights
	// Coefficients are what terms are multiplied by before they are added up, by the names in Weighable; 1 for a term
	// that is not there. They order what is found and find nothing: what answers without ranking does not have them.
	Coefficients map[string]float64
	// Without switches terms off, for measuring what each is worth: names of Switches.
	Without []string
}

// Switches lists what Query.Without can switch off, each by its name: terms, and steps that change a term. Whatever is
// added to the score has a name here and asks run.off for it, so that measurements of what each is worth find it.
func Switches() []string {
	return []string{
		TermWords, StepWording, StepSpelling, StepTopic, TermMeaning, TermSpeaker, TermTime, TermAssociation, StepFan,
		TermPriming, TermUse, TermBelief,
	}
}

// Filters say which memories take part. A memory that does not is not ranked, not counted, and activates no other.
// Start from [NoFilters]: the zero value has times in it.
type Filters struct {
	// Rows keeps these rows only; nil keeps all, an empty list none. Order and duplicates do not matter.
	Rows     []uint32
	Kinds    []uint32 // one of these
	TagsAll  []uint32
	TagsAny  []uint32
	TagsNone []uint32
	Speaker  uint32 // 0 keeps all
	Session  uint32 // 0 keeps all
	// From and To keep what occurred in [From, To); NoTime is open.
	From, To int64
	// ValidAt keeps what was valid then, with ValidFrom <= ValidAt < ValidUntil, superseded memories included. NoTime
	// does not look at validity, and leaves superseded memories out.
	ValidAt int64
	// MinConfidence keeps memories that are believed with at least this probability; see Source.Confidence.
	MinConfidence float64
	// Keep, if not nil, keeps the rows for which it returns true; it is asked last.
	Keep func(row uint32) bool
}

// NoFilters keeps every memory that is not superseded.
func NoFilters() Filters { return Filters{From: NoTime, To: NoTime, ValidAt: NoTime} }

// none reports whether f looks at no fact of a row.
func (f *Filters) none() bool {
	return f.Rows == nil && len(f.Kinds) == 0 && len(f.TagsAll) == 0 && len(f.TagsAny) == 0 && len(f.TagsNone) == 0 &&
		f.Speaker == 0 && f.Session == 0 && f.From == NoTime && f.To == NoTime && f.ValidAt == NoTime &&
		!(f.MinConfidence > 0) && f.Keep == nil
}

// keep reports whether a memory passes all filters but Rows, ValidAt and Keep; the cheap ones come first.
func (f *Filters) keep(row uint32, facts *Facts, source Source) bool {
	switch {
	case f.Session != 0 && facts.Session != f.Session,
		f.Speaker != 0 && facts.Speaker != f.Speaker,
		f.From != NoTime && (facts.OccurredAt < f.From || facts.OccurredAt == NoTime),
		f.To != NoTime && (facts.OccurredAt >= f.To || facts.OccurredAt == NoTime),
		len(f.Kinds) > 0 && !slices.Contains(f.Kinds, facts.Kind),
		f.MinConfidence > 0 && source.Confidence(row) < f.MinConfidence:
		return false
	}
	if len(f.TagsAll) == 0 && len(f.TagsAny) == 0 && len(f.TagsNone) == 0 {
		return true
	}
	tags := source.TagSet(facts.Tags)
	has := func(tag uint32) bool { return slices.Contains(tags, tag) }
	for _, tag := range f.TagsAll {
		if !has(tag) {
			return false
		}
	}
	return (len(f.TagsAny) == 0 || slices.ContainsFunc(f.TagsAny, has)) && !slices.ContainsFunc(f.TagsNone, has)
}

// valid reports whether a memory was valid at an instant; until is what supersession made of its end.
func valid(facts *Facts, until, at int64) bool {
	return (facts.ValidFrom == NoTime || facts.ValidFrom <= at) &&
		(facts.ValidUntil == NoTime || at < facts.ValidUntil) && (until == NoTime || at < until)
}

// Answer is what a recall found.
type Answer struct {
	// Hits are the best first. None means that nothing relevant is known.
	Hits []Hit
	// Searched counts the memories that passed the filters.
	Searched int
	// Rejected is, where there are no hits, the evidence in nats of the memory nearest by meaning: no more than chance
	// gives to some memory of a population like this. It may be below 0; it is 0 if nothing was near at all.
	Rejected float64
	// Damage says what could not be read and was left out: at most 16 errors. Damaged counts the vectors among it.
	Damage  []error
	Damaged int
	// Weighed says that the terms have the query's coefficients.
	Weighed bool
}

// Hit is one recalled memory.
type Hit struct {
	Row   uint32
	Score float64
	Terms []Term // those that are not 0; their values add up to Score
}

// Term is one part of a score.
type Term struct {
	Name  string // one of the Term constants
	Value float64
	// Detail, if the query asked to explain, are parts that add up to Value.
	Detail []Part
}

// The names of steps that change a term, and are none.
const (
	StepWording  = "wording"  // memories that have a word as the question says it gain
	StepFan      = "fan"      // what a memory passes on is divided among its associations
	StepSpelling = "spelling" // words that no memory holds find those nearest in spelling
	StepTopic    = "topic"    // where memories are long, words that the best have in common are asked for too
)

// The names of terms.
const (
	TermWords       = "words"       // the words of the text; details name them
	TermMeaning     = "meaning"     // the embedding; the detail names the similarity
	TermSpeaker     = "speaker"     // the question names who said it; the detail names the speaker
	TermTime        = "time"        // the question asks when, or names the memory's time; details say which
	TermAssociation = "association" // activation from other memories; details name these by id
	TermPriming     = "priming"     // activation from what was used lately; details name these by id
	TermUse         = "use"         // what its uses make of its base level, and judgements of no use
	TermBelief      = "belief"      // what other sources than its own make of its probability
	TermRecency     = "recency"     // how recent it is, if nothing was asked for
)

// Part is one contribution to a term.
type Part struct {
	Name  string
	Value float64
}

// check refuses a query that makes no sense, naming the field.
func (q *Query) check() error {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return fmt.Errorf("check query: limit is %d: it must lie between 1 and %d", q.Limit, MaxLimit)
	}
	for _, name := range q.Without {
		if !slices.Contains(Switches(), name) {
			return fmt.Errorf("check query: without %q: there is only %s", name, strings.Join(Switches(), ", "))
		}
	}
	if q.Hops != nil && *q.Hops < 0 {
		return fmt.Errorf("check query: hops is %d: it must be 0 or more", *q.Hops)
	}
	if q.Weights != nil {
		if err := q.Weights.check(); err != nil {
			return err
		}
	}
	return checkCoefficients(q.Coefficients)
}
