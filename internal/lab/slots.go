package lab

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

func slots(*published) []experiment {
	return []experiment{{
		row: Row{
			ID: "H5",
			Replicates: "structured completion: half of a record's fields are masked; how sure it says it is " +
				"of the others, and how often it is right",
			Source: "the engine's model", Published: "none: a rule of the model",
			NotClaimed: "the same of vectors of fewer dimensions, where fields that have nothing to do with the one " +
				"asked for make it too sure: up to .06 at 192",
		},
		run:     func(b *bench) (finding, error) { return slotFilling(b, false) },
		off:     "the vote: what is filled in is taken for certain",
		ablated: func(b *bench) (finding, error) { return slotFilling(b, true) },
	}}
}

// fieldRecord is a record of several fields.
type fieldRecord struct{ values []string }

func (r *fieldRecord) word(field int) string { return fmt.Sprintf("f%dv%s", field, r.values[field]) }

// The records of H5.
const (
	recordCount  = 400
	recordDim    = 768
	recordFields = 6
	recordValues = 5
	recordCues   = 600
)

// fieldRecords makes records whose fields are drawn with unequal frequencies and depend on each other, so that several
// fit most cues. Nothing of the engine is in how they are made.
func fieldRecords(r *rand.Rand) []fieldRecord {
	all := make([]fieldRecord, recordCount)
	for i := range all {
		topic := r.IntN(recordValues)
		for range recordFields {
			v := topic
			if r.IntN(3) > 0 {
				v = min(r.IntN(recordValues), r.IntN(recordValues))
			}
			all[i].values = append(all[i].values, fmt.Sprint(v))
		}
	}
	return all
}

// directions gives each word a direction of its own.
type directions struct {
	r     *rand.Rand
	known map[string][]float32
}

func (d *directions) sum(words []string) []float32 {
	out := make([]float32, recordDim)
	for _, word := range words {
		if d.known[word] == nil {
			d.known[word] = unit(d.r, recordDim, nil)
		}
		for i, x := range d.known[word] {
			out[i] += x
		}
	}
	return out
}

// slotFilling is H5: by the known fields, by words and by vectors. If certain, the confidence of the vote is not
// heeded.
func slotFilling(b *bench, certain bool) (f finding, err error) {
	s, err := b.space()
	if err != nil {
		return f, err
	}
	const seed = 20
	r := rand.New(rand.NewPCG(seed, 26))
	space := &directions{r: r, known: map[string][]float32{}}
	records := fieldRecords(r)
	drafts := make([]engram.Draft, len(records))
	for i := range records {
		var words []string
		metadata := map[string]string{}
		for field, value := range records[i].values {
			words = append(words, records[i].word(field))
			metadata[fmt.Sprint(field)] = value
		}
		drafts[i] = engram.Draft{
			ID: fmt.Sprintf("r%d", i), Content: strings.Join(words, " "), Metadata: metadata,
			Embedding: space.sum(words),
		}
	}
	s.rememberAll(drafts)
	for _, by := range []string{"fields", "scores", "vectors"} {
		p, right, err := s.fillSlots(by, records, space, r)
		if err != nil {
			return f, err
		}
		for i := range p {
			if certain {
				p[i] = 1
			}
		}
		error := calibrationError(p, right)
		f.engine += fmt.Sprintf("by %s: calibration error %.3f; ", by, error)
		bound := b.published.bounds.Slots
		f.check(error <= bound, "by %s: error %.3f, at most %v is wanted", by, error, bound)
	}
	return f, s.err
}

// fillSlots asks for records of which half of the fields are known, and tells how sure each field that was filled in is
// said to be and whether it is right.
func (s *subject) fillSlots(by string, records []fieldRecord, space *directions, r *rand.Rand) (p []float64,
	right []bool, err error,
) {
	for range recordCues {
		record := &records[r.IntN(len(records))]
		order := r.Perm(recordFields)
		var words []string
		metadata := map[string]string{}
		for _, field := range order[:recordFields/2] {
			words = append(words, record.word(field))
			metadata[fmt.Sprint(field)] = record.values[field]
		}
		ask := engram.Partial{}
		for _, field := range order[recordFields/2:] {
			ask.Fields = append(ask.Fields, fmt.Sprint("metadata.", field))
		}
		switch by {
		case "fields":
			ask.Metadata = metadata
		case "scores":
			ask.Text = strings.Join(words, " ")
		default:
			ask.Embedding = space.sum(words)
		}
		got := s.complete(ask)
		if s.err == nil && got.By != by {
			return nil, nil, fmt.Errorf("completed by %s, want by %s", got.By, by)
		}
		for _, field := range got.Fields {
			p = append(p, field.Confidence)
			right = append(right, field.Value == record.values[int(field.Name[len(field.Name)-1]-'0')])
		}
	}
	if s.err == nil && len(p) < recordCues {
		return nil, nil, fmt.Errorf("only %d fields were filled in", len(p))
	}
	return p, right, s.err
}

// calibrationError is the expected calibration error over ten bins of equal width: by how much what is said to be
// probable differs from how often it is so.
func calibrationError(p []float64, right []bool) float64 {
	const bins = 10
	miss := map[int]float64{}
	for i, x := range p {
		bin := min(int(x*bins), bins-1)
		miss[bin] += x
		if right[i] {
			miss[bin]--
		}
	}
	sum := 0.0
	for _, bin := range slices.Sorted(maps.Keys(miss)) {
		sum += max(miss[bin], -miss[bin])
	}
	return sum / float64(len(p))
}

// brier is the mean squared error of probabilities.
func brier(p []float64, right []bool) (sum float64) {
	for i, x := range p {
		if right[i] {
			x = 1 - x
		}
		sum += x * x / float64(len(p))
	}
	return sum
}
